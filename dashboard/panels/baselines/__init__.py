"""The page of baselines: what is compared, how to start it, the figure, the table, coverage."""
