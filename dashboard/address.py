"""Addresses: what a person types or pastes, turned into a feature; knows nothing of Streamlit.

A feature is `HOOKPOINT/INDEX`, split at the last slash; a bare index means the hookpoint at hand.
"""

from urllib.parse import parse_qs, urlsplit

from data.imports.neuronpedia_names import shortened
from data.records import CacheRecord, HookpointRecord

LONGEST = 10  # digits of a feature's number; Python refuses to read very long ones


def feature_named(text: str, record: CacheRecord, here: HookpointRecord) -> str | None:
    """The feature that a text names, or None when it is just words.

    >>> feature_named("17", record, record.hookpoints[0])
    'layers.2/17'
    >>> feature_named("http://localhost:8501/feature?feature=layers.2%2F17", record, here)
    'layers.2/17'
    >>> feature_named("https://www.neuronpedia.org/gpt2-small/2-res-jb/17", record, here)
    'layers.2/17'
    """
    text = shortened(text.strip(), [found.name for found in record.hookpoints])
    if "://" in text:
        return _in_link(text, record, here)
    name, _, index = text.rpartition("/")
    if not index.isdecimal() or len(index) > LONGEST:
        return None
    hookpoint = next((h for h in record.hookpoints if h.name == name), None if name else here)
    if hookpoint is None or int(index) >= hookpoint.n_features:
        return None
    return f"{hookpoint.name}/{int(index)}"


def number_named(text: str) -> bool:
    """Whether a text is the number of a feature, whether or not there is such a one."""
    return text.strip().isdecimal()


def every(hookpoint: HookpointRecord) -> str:
    """The numbers there are, e.g. "0–2,047"; of an import of contexts, the largest known."""
    if not hookpoint.is_size_known:
        return f"known up to {hookpoint.n_features - 1:,}"
    return f"0–{hookpoint.n_features - 1:,}"


def _in_link(text: str, record: CacheRecord, here: HookpointRecord) -> str | None:
    """Ours carries ?feature=; other explorers end in the number, at the hookpoint at hand."""
    try:
        parts = urlsplit(text)
    except ValueError:  # e.g. an unclosed bracket: not an address after all
        return None
    named = parse_qs(parts.query).get("feature")
    last = parts.path.rstrip("/").rpartition("/")[2]
    target = named[0] if named else last
    return None if "://" in target else feature_named(target, record, here)
