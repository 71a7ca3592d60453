"""Evaluation of a generator: pixels, feature space, phenotypes, memorisation, and controls."""
