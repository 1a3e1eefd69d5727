"""Heuristic filters (methods.md 7): what can be said of a feature without reading a context.

    measures.py    figures of every feature from its activations and the tokens alone
    scrambled.py   whether a unigram feature fires whatever stands before its token
    words.py       the counts of flags as lines

The limits that turn figures into flags are in data/flags.py. Filters label; they never delete.
"""
