"""Encoders with masked pre-training: ST-MEM for 12-lead ECG, a vision transformer for cine CMR."""
