"""The page of interventions: pooled figures, a table of features by KL, one feature to read."""
