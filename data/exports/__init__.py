"""Files for other programs: where they go, and how each format is written.

folder.py        a folder that is written beside its name and put there when it is whole
neuronpedia.py   fields, ids and batches of Neuronpedia's layout
delphi.py        names and shards of a delphi run directory
texts.py         the text of every stored context as a table
queries.py       what exports ask of the catalogue
"""
