"""The command line: one file per command, nothing heavy imported at start-up."""
