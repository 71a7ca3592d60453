"""Variants: the ways of the paper to initialise the encoder of a downstream task."""
