"""The page of runs: what is at work, what stopped, all of them, one of them."""
