"""The page of similarities: which SAEs, a map of all of them, the best matched features of two."""
