"""MIMIC-IV-ECG with its machine measurements and the Ext-ICD labels, as a dataset."""
