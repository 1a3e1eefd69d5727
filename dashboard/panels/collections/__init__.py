"""The page of collections: a list that is pasted, its table, what explains and scores it."""
