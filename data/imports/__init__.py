"""Files that other tools wrote, read without trusting them; knows nothing of caches.

foreign.py        any foreign folder: what is in it, its hash, its JSON
report.py         what an import has to say besides the data
delphi.py         the parts of a delphi run directory, by their names
delphi_rows.py    its score files, explanations, neighbours
delphi_latents.py its activation shards
"""
