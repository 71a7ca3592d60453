"""The report of ``prepare``: what went into a cohort, what did not, and why."""
