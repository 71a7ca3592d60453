"""Generating cines, evaluating a generator, and cohorts augmented by one."""
