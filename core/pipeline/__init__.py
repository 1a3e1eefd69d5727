"""The stages: read, do, write back. Each is a generator of Progress and can be run again.

    caching.py     text x subject x SAEs -> the files of a cache and its rows in the catalogue
    explaining.py  train contexts -> explanations, checked exactly
    scoring.py     test contexts -> verdicts and scores; judging.py is the work on one feature
    again.py       one feature once more, as the dashboard asks
    workbench.py   one cache opened for explaining and scoring
    workers.py     chunks of features over processes, results in order
    selection.py   "0-99", "random:200", "all" -> feature numbers

A stage that is run twice does nothing the second time; one that is killed goes on where it was.
"""
