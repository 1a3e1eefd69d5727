"""Files that other tools wrote, read without trusting them; knows nothing of caches.

foreign.py        any foreign folder: what is in it, its hash, its JSON
lines.py          files with a JSON object a line, plain or gzipped
fields.py         the fields of a foreign row, by name and kind
pickled.py        tensors out of `.pt` files, never anything else
report.py         what an import has to say besides the data; codes.py lists all it can be

delphi.py         the parts of a delphi run directory, by their names; delphi_run.py: the record
delphi_rows.py    its verdicts, explanations, neighbours, simulations; delphi_scorers.py: others
delphi_latents.py its activation shards; delphi_tensors.py: those of older runs and autointerp
published.py      explanations without their run, and the blog's tables

neuronpedia.py    the sources of a Neuronpedia export; neuronpedia_names.py: its names
neuronpedia_rows.py   features, contexts, explanations; neuronpedia_scores.py: scores of ours
saedashboard.py   batches of SAEDashboard, as the same rows
undo.py           taking back an import that did not come to its end
"""
