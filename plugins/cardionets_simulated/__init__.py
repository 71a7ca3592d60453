"""The simulated cohort: paired ECG, cine CMR, phenotypes and diagnoses, computed on demand.

Nothing here is evidence about patients; every output made from it is labelled "simulated".
"""
