"""The tables of a study, each from its scores alone."""
