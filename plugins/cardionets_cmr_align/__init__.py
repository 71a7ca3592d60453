"""ECG-CMR alignment: plain and phenotype-weighted contrastive learning."""
