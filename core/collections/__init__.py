"""Lists of features over several hookpoints: read from a text, resolved to a cache's features.

    listing.py     text -> entries, whatever shape the list has
    members.py     entries -> features of a cache; all bad ones named in one line
    table.py       what is known of every member, in one row each
    words.py       a table in words, as JSON and as CSV

A collection itself is a row of the catalogue (`data/collections.py`).
"""
