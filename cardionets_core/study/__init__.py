"""The study: the comparison of variants as one job that can be stopped and continued."""
