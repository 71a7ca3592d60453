"""Cine CMR: geometry, normalisation and the phenotypes measured on it."""
