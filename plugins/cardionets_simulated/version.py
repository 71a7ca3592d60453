"""What identifies a simulated cohort besides its seed, indices and prevalence preset."""

# Raise it whenever any subject changes by a single bit: a stored cohort names its version.
SIMULATOR_VERSION = 1

# Seeds from here on train the weights that ship with the toolkit. No default, study or evidence run
# may use them, or a shipped model could be evaluated on subjects that it was trained on.
FIRST_RESERVED_SEED = 1_000_000

# Printed on every report, figure and model card made from this cohort.
LABEL = "simulated"
