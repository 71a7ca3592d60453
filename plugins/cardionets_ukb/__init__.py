"""UK Biobank's imaging visit as a dataset: 12-lead ECG, 4-chamber cine, phenotypes, diagnoses."""
