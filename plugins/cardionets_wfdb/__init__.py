"""WFDB, CSV and NPY readers, and the dataset of a folder of WFDB records."""
