"""A feature as escaped HTML: what pages of the dashboard and static reports both show.

    spans.py     tokens and activations, verdicts, lists of contexts
    reader.py    a feature's contexts as passages of text; imported.py those of an import
    listing.py   which contexts, in which groups, with which verdicts
    cards.py     explanations with their scores, facts, small tables
    facts.py     one feature's figures as facts and sentences; words.py settings in a few words
    fx.css       the classes that all of it leans on

Knows nothing of Streamlit.
"""

from pathlib import Path

SHEET = Path(__file__).with_name("fx.css")
