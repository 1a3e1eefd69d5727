"""The page of comparisons: one feature, two settings over many, the figures of runs, sweeps."""
