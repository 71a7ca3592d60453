"""Training: the plan of a stage, one loop for every stage, checkpoints and the run folder."""
