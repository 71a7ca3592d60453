"""Readers of vendors' ECG files: DICOM, HL7 aECG, GE MUSE, Philips, SCP-ECG, CardioSoft."""
