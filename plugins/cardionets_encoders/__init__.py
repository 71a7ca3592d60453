"""Encoders: ST-MEM for 12-lead ECG and a vision transformer for cine CMR, with masked pre-training."""
