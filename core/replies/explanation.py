"""Reads an explanation out of a reply: one sentence that may stand in the explanation column.

The last JSON object with the field counts, else the last line that begins with the tag. Whatever is
no explanation (empty, too long, marked, a refusal, a template) is a BadReply that names the defect:
no sentence is ever put in its place (methods.md 3.1 and 10, 15 and 16).
"""

import json
import re
import unicodedata
from collections.abc import Sequence

from core.replies.cleaning import BadReply, cleaned

FIELD = "explanation"
MOST_WORDS = 60
MOST_BRACES = 100  # tried from the end: hostile nesting costs no time
MOST_CHARACTERS = 600  # languages that write without spaces
TAG = re.compile(r"^[\s>#*_-]*(?:final )?explanation[*_]*[ \t]*:[*_]*(.*)$", re.I | re.M)
FIND_OUT = r"(help|assist|determine|identify|find|see|say|tell|provide|give|explain|answer|parse)"
# At the start and unquoted: an explanation may well be about apologies.
REFUSAL = re.compile(
    r"(i['’]m|i am) (sorry|afraid|unable|not able|not sure)\b"
    r"|sorry,|(sorry )?but i\b"
    rf"|(i )?(can['’]?t|cannot|can not|could not|couldn['’]t|unable to|won['’]t) {FIND_OUT}\b"
    rf"|i (do not|don['’]t) (know|have|{FIND_OUT})\b"
    r"|(as|being) an? (ai|language model|assistant)\b"
    r"|(there (is|are|seems to be|appears to be) )?(no|not enough) "
    r"((single|clear|common|obvious|consistent|apparent|discernible|shared) )*"
    r"(pattern|explanation|information|trait)\b"
    rf"|(it is |it['’]s )(unclear|hard to say|(impossible|not possible) to {FIND_OUT})\b"
    r"|(the |this )?explanation (could not|cannot|can['’]t)\b",
    re.IGNORECASE,
)
# A bracketed stand-in such as {explanation} or <your sentence>; {} and <summary> may be meant.
INSIDE = r"[^{}<>\[\]]{0,30}"
TEMPLATE = re.compile(
    rf"[{{<\[]{INSIDE}\b(your|insert|explanation|placeholder)\b{INSIDE}[}}>\]]", re.IGNORECASE
)
NOUN = r"(text|sentence|explanation|description|summary|phrase|concept|answer|placeholder)"
WORD = rf"({NOUN}|an?|the|your|my|insert|short|one|final|new|here|is|goes|of|feature|neuron|unit)"
PLACEHOLDER = re.compile(
    rf"(?=.*\b{NOUN}){WORD}(\s+{WORD})*|n/?a|none|null|nil|nothing|unknown|undefined|unclear"
    r"|error|todo|tbd|string|promotes",
    re.IGNORECASE,
)
AROUND = " \t“”\"'‘’`*_.…,:;!?-{}<>[]()"


def explanation(reply: str, *, marks: Sequence[str] = (), ended: bool = True) -> str:
    """Read the explanation, on one line; raises BadReply.

    marks: signs that stood around tokens in the question. ended: whether the model came to its end
    before the limit of tokens.
    """
    text = cleaned(reply)
    if not text:
        raise BadReply("the reply is empty" if ended else "the reply was cut off at its limit")
    found = last_object(text, FIELD)
    if found is not None:
        return accepted(found[FIELD], marks)
    tagged = _tagged(text)
    if not ended:
        raise BadReply("the reply was cut off at its limit")
    if tagged is None:
        raise BadReply(f'there is no JSON object with the field "{FIELD}"')
    return accepted(tagged, marks)


def accepted(value: object, marks: Sequence[str] = ()) -> str:
    """Check an explanation and put it on one line; raises BadReply."""
    if not isinstance(value, str):
        raise BadReply(f'the field "{FIELD}" is no text')
    text = " ".join(value.split())
    defect = _form_defect(text, marks) or _word_defect(text)
    if defect:
        raise BadReply(defect)
    return text


def last_object(text: str, field: str) -> dict[str, object] | None:
    """Find the last JSON object that has the field; line breaks inside strings are forgiven."""
    decoder = json.JSONDecoder(strict=False)
    place = text.rfind(f'"{field}"')  # an object with the field begins before its last mention
    for _ in range(MOST_BRACES):
        place = text.rfind("{", 0, max(place, 0))
        if place < 0:
            return None
        try:
            value, _ = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        if field in value:
            return value
    return None


def _tagged(text: str) -> str | None:
    """Take what follows the last tag, on its line or on the next one that is not empty."""
    last = max(TAG.finditer(text), key=lambda found: found.start(), default=None)
    if last is None:
        return None
    rest = text[last.end() :].strip().splitlines()
    said = (last.group(1).strip() or (rest[0] if rest else "")).strip(" *_")
    inner = said[1:-1]
    return inner if said[:1] + said[-1:] in ('""', "“”") and not set(inner) & set('"“”') else said


def _form_defect(text: str, marks: Sequence[str]) -> str | None:
    if not any(unicodedata.category(character)[0] in "LN" for character in text):
        return "the explanation is empty"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return "the explanation holds characters that are no text"
    if (words := len(text.split())) > MOST_WORDS:
        return f"the explanation has {words} words, at most {MOST_WORDS} are allowed"
    if len(text) > MOST_CHARACTERS:
        return f"the explanation has {len(text)} characters, at most {MOST_CHARACTERS} are allowed"
    found = next((sign for sign in marks if sign in text), None)
    return f"the explanation contains the mark {found}" if found else None


def _word_defect(text: str) -> str | None:
    if REFUSAL.match(text):
        return "the reply is a refusal, not an explanation"
    if TEMPLATE.search(text) or PLACEHOLDER.fullmatch(text.strip(AROUND)):
        return "the explanation is a placeholder"
    return None
