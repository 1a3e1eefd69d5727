"""The page of filters: counts of flags, token entropy, positions; and a feature's own figures."""
