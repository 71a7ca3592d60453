"""The cohort: one HDF5 file of subjects, its writer, reader, splits and leakage guard."""
