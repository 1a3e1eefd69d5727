"""A cache as other programs and people read it; each export is a stage that yields Progress.

reading.py          features of a cache, block by block, in one visit of the catalogue each
neuronpedia.py      Neuronpedia's layout; its rows, scores and metadata beside it
delphi.py           a run directory that delphi's own tools read; delphi_config.py has its settings
report.py           a static report of features that opens without a server
"""
