"""What an SAE's scores are worth: the same pipeline on what has learned nothing, or less.

    kinds.py     which baselines there are, what each means, what is published
    places.py    which of the subject's hookpoints a baseline reads, and what it is made of
    training.py  a TopK SAE trained on a cache's tokens, by the demo's recipe
    summary.py   features' scores as median, quartiles, mean, difference, with intervals
    table.py     the table: a row for each baseline at each hookpoint
    words.py     the table as text and for scripts

Baselines are caches like others (methods 6.5, 8); the stage that makes them is
core/pipeline/baselines.py.
"""
