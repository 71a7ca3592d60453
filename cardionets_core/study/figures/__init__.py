"""The figures of a study: what its tables and scores hold, drawn by ``evaluate.plots``."""
