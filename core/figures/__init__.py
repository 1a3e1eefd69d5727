"""The figures of a run, as EleutherAI's post on open-source automated interpretability draws them.

Accuracy by decile of a setting (deciles.py), what detection and fuzzing said of contexts by how
strong they are (intervals.py), how scorers agree over features (correlation.py). In: rows of
`data/run_figures.py`. Out: numbers with their n; nothing here draws.
"""
