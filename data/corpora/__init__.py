"""What `data.corpus` is made of: one file a kind of text, and token caches.

document.py     a text that knows where it is from, and what may be chosen when it is read
streams.py      lines of UTF-8 out of plain, gzipped and Zstandard files, in bounded memory
columns.py      which column of a row is the text
plain.py        text files, whole or split
json_rows.py    JSON lines and lists
tables.py       Parquet and Arrow files, some rows at a time
hub.py          datasets of the Hugging Face hub, streamed
docstrings.py   the documentation of this Python installation
files.py        which files a path means, and how each is read
texts.py        documents, none empty, whatever they are read from
order.py        the file's order, or a permutation of it
token_rows.py   sequences that are token ids already; token_arrays.py: the files they are in
"""
