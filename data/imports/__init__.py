"""Files that other tools wrote, read without trusting them; knows nothing of caches.

foreign.py        any foreign folder: what is in it, its hash, its JSON
lines.py          files with a JSON object a line, plain or gzipped
fields.py         the fields of a foreign row, by name and kind
report.py         what an import has to say besides the data; codes.py lists all it can be
delphi.py         the parts of a delphi run directory, by their names
delphi_rows.py    its score files, explanations, neighbours
delphi_latents.py its activation shards
neuronpedia.py    the sources of a Neuronpedia export; neuronpedia_rows.py: their rows
undo.py           taking back an import that did not come to its end
"""
