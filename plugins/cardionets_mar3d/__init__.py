"""ECG to cine CMR: a 3D autoencoder, masked autoregressive generation, and its baselines."""
