"""The page that runs a text: what fires on it, and what steering a feature does."""
