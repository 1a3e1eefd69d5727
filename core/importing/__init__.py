"""Other tools' runs become caches, explanations and scores of ours; what they left out stays empty.

    stage.py       the stage: known already?, read, write, or take back what was written
    delphi.py      runs of delphi as a source, with activations or with contexts only
    neuronpedia.py exports of Neuronpedia and batches of SAEDashboard as a source
    attach.py      published explanations into a cache that is there

    gather.py      every context, verdict and explanation of a run, in flat arrays
    collecting.py  the same of an export, whose rows come in any order
    deciles.py     which end of `distance` is the strong one, found out per run
    contexts.py    a cache of nothing but the contexts of a source without activations
    whole.py       a cache of everything from a run with activations
    places.py      hookpoints by their full names in the subject
    spelling.py    the subject's tokenizer, or what can be told of it without
    locate.py      where the contexts of a run stand in its tokens
    annex.py       contexts that stand nowhere in them
    judging.py     verdicts to items and scores; measuring.py, stated.py: scores without verdicts
    rows.py        a run into the catalogue; exported.py: an export
    missing.py     why features have no score
    doubts.py      what has to be said of a run as a whole
    summary.py     what an import brought
    reading.py     the stored contexts of a feature, with text and activations

Loads no model; a tokenizer is loaded only for runs that carry token ids.
"""
