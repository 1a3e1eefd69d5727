"""Other tools' runs become caches, explanations and scores of ours; what they left out stays empty.

    delphi.py      the stage: read, check, write files, write rows
    gather.py      every context, verdict and explanation of a run, in flat arrays
    deciles.py     which end of `distance` is the strong one, found out per run
    contexts.py    a cache of nothing but the contexts of a run without activations
    whole.py       a cache of everything from a run with activations
    spelling.py    the subject's tokenizer, or what can be told of it without
    locate.py      where the contexts of a run stand in its tokens
    judging.py     verdicts to items and scores
    rows.py        all of it into the catalogue
    missing.py     why features have no score

Loads no model; a tokenizer is loaded only for runs that carry token ids.
"""
