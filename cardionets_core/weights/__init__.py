"""Weights: the file format, where files come from, how they are checked, lineage and licences."""
