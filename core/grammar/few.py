"""Learn from a few contexts and a background of silent ones, as a language model would see them.

With twenty contexts nothing can be counted exactly, so priors decide. Literals are added one at a
time while the balanced accuracy that can be expected on new contexts rises: what a literal will
newly find, shrunk, against how often it holds in the background (the false alarms of detection)
and on the silent tokens of the own contexts (those of fuzzing). The priors hold for SAE features
at large and were set on half of the published GPT-2 features (core/bench/blog.py):

* a value seen once is half luck: a discount on the contexts newly found;
* a form counts only if two different words show it;
* a feature that fires on a word also fires on some of its relatives (the same stem, the same three
  or four letters at either end) that the few contexts did not happen to show: `RELATIVES`.
"""

from typing import NamedTuple

import numpy as np

from core.grammar.candidates import PREFERENCE
from core.grammar.contexts import Contexts, Rows, rows_of
from core.grammar.induction import merge
from core.grammar.language import BACK, Literal, Rule, Rules
from core.grammar.settings import Settings
from core.grammar.words import Words, spread

LUCK = {"here": 0.2, "prev": 1.5, "prev2": 1.5}  # contexts taken off what a value newly finds
LUCK_OF_FORM = 1.0
LUCK_OF_PAIR = 1.5
RELATIVES = {"stem": 0.05, "prefix": 0.05, "suffix": 0.05}  # share of the seen, yet unseen
COMMON = 0.05  # share of background contexts: the word is too frequent for its letters to mean more
AFFIX = (3, 4)  # letters of an affix that makes relatives
ALARMS = {"f1": 0.8, "mdl": 0.8, "f0.5": 1.6, "f2": 0.4}  # price of a background context found
WIDER = 0.875  # times that price where only the strongest contexts were seen: the others, weaker,
# are more varied; for the same reason no test is narrowed by what stands before
WRONG_MARKS = 0.25  # price of the silent tokens found, as a share of them all
MOST = 40  # literals, before those of one shape are joined into sets
PAIR_NEEDED = 0.03  # share of background contexts from which on a literal is worth narrowing
FORMS = ("stem", "group", "cluster", "class", "suffix", "prefix", "length")
SAID_BY = {
    "token": ("token", "word", "stem", "group", "class"),
    "word": ("word", "stem", "group", "class"),
    "prefix": ("prefix",),
    "suffix": ("suffix",),
} | dict.fromkeys(("stem", "group", "cluster", "class", "length"), ())
# a wider test may replace a narrower one of these kinds; an affix may not replace a word, because
# the word says more to a person
LEFT_KINDS = ("word", "group", "class")


class Columns(NamedTuple):
    """Candidate rules and where they hold."""

    rules: list[tuple[Literal, ...]]
    own: np.ndarray  # bool [own tokens, candidates]
    background: np.ndarray  # bool [background tokens, candidates]


def induce_few(contexts: Contexts, words: Words, settings: Settings, seed: int) -> Rules:
    """Learn rules from contexts alone; `seed` is unused, nothing is drawn."""
    del seed
    own, inside = rows_of(words, contexts.tokens)
    activation = contexts.activation[inside]
    active = _active(own, activation, settings.threshold)
    if not active.any():
        return Rules()
    background, _ = rows_of(words, contexts.background)
    columns = _columns(words, own, active, background, settings)
    chosen = _greedy(words, own, active, background, columns, settings)
    chosen = _without_repeats(words, columns, chosen)
    return _value(chosen, columns, own, activation, active, background)


def _active(own: Rows, activation: np.ndarray, threshold: float) -> np.ndarray:
    top = float(activation.max(initial=0))
    return (activation > 0) & (activation > threshold * top)


def _columns(
    words: Words, own: Rows, active: np.ndarray, background: Rows, settings: Settings
) -> Columns:
    kinds = ("token", "word") + (FORMS if settings.families != "token" else ())
    parts = [_attributes(words, own, active, background, "here", kinds)]
    if settings.families == "context":
        parts.append(_attributes(words, own, active, background, "prev", LEFT_KINDS))
        parts.append(_attributes(words, own, active, background, "prev2", LEFT_KINDS))
        if settings.max_literals > 1 and settings.sampling != "top":
            parts.append(_pairs(own, active, background, parts[0], parts[1:]))
    return Columns(
        [rule for part in parts for rule in part.rules],
        np.concatenate([part.own for part in parts], 1),
        np.concatenate([part.background for part in parts], 1),
    )


def _attributes(
    words: Words,
    own: Rows,
    active: np.ndarray,
    background: Rows,
    place: str,
    kinds: tuple[str, ...],
) -> Columns:
    """Collect what active tokens, or the tokens before them, are like."""
    back = BACK[place]
    at = np.flatnonzero(active & (own.column >= back))
    tokens, count = np.unique(own.token[at - back], return_counts=True)
    indptr, ids = words.of_token
    lengths = indptr[tokens + 1] - indptr[tokens]
    found = ids[spread(indptr[tokens], lengths)]
    support = np.bincount(found, np.repeat(count, lengths), minlength=len(words.kind))
    least = 3 if back else 1
    attributes = [a for a in np.flatnonzero(support >= least).tolist() if words.kind[a] in kinds]
    attributes.sort(key=lambda a: PREFERENCE.index(words.kind[a]))  # wins ties
    table = np.zeros((len(words), len(attributes)), bool)
    for j, attribute in enumerate(attributes):
        table[words.tokens_of(attribute), j] = True

    def look(rows: Rows) -> np.ndarray:
        return table[np.roll(rows.token, back)] & (rows.column >= back)[:, None]

    pairs = [words.kind_value(a) for a in attributes]
    rules = [(Literal(place, kind, (value,)),) for kind, value in pairs]
    return Columns(rules, look(own), look(background))


def _pairs(
    own: Rows, active: np.ndarray, background: Rows, here: Columns, left: list[Columns]
) -> Columns:
    """Narrow frequent token tests by what stands before."""
    weight = _weights(own, active)
    seen, often = weight @ here.own, _by_context(background, here.background).mean(0)
    rules, mine, others = [], [], []
    for j in np.flatnonzero((seen >= 3) & (often > PAIR_NEEDED)):
        for part in left:
            both = here.own[:, [j]] & part.own
            kept = weight @ both
            for k in np.flatnonzero((kept >= 3) & (kept >= 0.3 * seen[j])):
                rules.append((*here.rules[j], *part.rules[k]))
                mine.append(both[:, k])
                others.append(here.background[:, j] & part.background[:, k])
    if not rules:
        none = np.zeros((len(own.token), 0), bool), np.zeros((len(background.token), 0), bool)
        return Columns([], *none)
    return Columns(rules, np.stack(mine, 1), np.stack(others, 1))


def _weights(own: Rows, active: np.ndarray) -> np.ndarray:
    """Weigh active tokens so that every activating context counts one: float64 [t]."""
    per = np.bincount(own.context, active, minlength=own.n)
    return active / np.maximum(per[own.context], 1)


def _by_context(rows: Rows, holds: np.ndarray) -> np.ndarray:
    """Whether each candidate holds anywhere in each context that has tokens: bool."""
    if not len(rows.token):
        return np.zeros((1, holds.shape[1]), bool)
    first = np.flatnonzero(np.diff(rows.context, prepend=-1))
    bits = np.bitwise_or.reduceat(np.packbits(holds, axis=1), first)  # eight candidates at a time
    return np.unpackbits(bits, axis=1, count=holds.shape[1]).astype(bool)


def _greedy(
    words: Words,
    own: Rows,
    active: np.ndarray,
    background: Rows,
    columns: Columns,
    settings: Settings,
) -> list[int]:
    """Add the candidate with the largest expected gain until none has any."""
    weight = _weights(own, active)
    n = len(np.unique(own.context[active]))
    alarms = _by_context(background, columns.background).astype(np.float32)
    holds = columns.own.astype(np.float32)
    luck, relatives = _priors(columns, own, active, words)
    bonus = relatives * (weight @ holds) / n * (alarms.mean(0) <= COMMON)
    open_own, open_context = np.ones(len(weight)), np.ones(len(alarms), np.float32)
    silent = ~active / max(1, (~active).sum())
    price = ALARMS[settings.objective] * (WIDER if settings.sampling == "top" else 1.0)
    bits = 0.01 if settings.objective == "mdl" else 0.0
    used = np.zeros(len(columns.rules), bool)
    shapes: set[tuple] = set()
    chosen: list[int] = []
    while len(chosen) < MOST:
        gain = np.maximum((weight * open_own) @ holds - luck, 0) / n + bonus
        gain = gain - price * (open_context @ alarms) / len(alarms) - bits
        gain = gain - WRONG_MARKS * (silent * open_own) @ holds
        gain[used] = -1
        best = int(np.argmax(gain))
        if gain[best] <= 1e-9:
            break
        used[best] = True
        shape = shape_of(columns.rules[best])
        if shape in shapes or len(shapes) < settings.max_rules:
            shapes.add(shape)
            chosen.append(best)
            open_own *= ~columns.own[:, best]
            open_context *= 1 - alarms[:, best]
    return chosen


def _without_repeats(words: Words, columns: Columns, chosen: list[int]) -> list[int]:
    """Drop values that a wider one says as well; what the rules claim stays the same."""
    alone = [
        j for j in chosen if len(columns.rules[j]) == 1 and columns.rules[j][0].place == "here"
    ]
    tables = {j: words.table(columns.rules[j][0].kind, columns.rules[j][0].values) for j in alone}
    kept = sorted(alone, key=lambda j: (int(tables[j].sum()), j))  # narrow ones go first
    for j in list(kept):
        wider = [i for i in kept if i != j and columns.rules[i][0].kind in
                 SAID_BY[columns.rules[j][0].kind]]  # fmt: skip
        if any((tables[i] >= tables[j]).all() for i in wider):
            kept.remove(j)
    return [j for j in chosen if j not in tables or j in kept]


def shape_of(rule: tuple[Literal, ...]) -> tuple:
    """Say what `merge` needs to be equal: all but the values of the token test."""
    first, *rest = rule
    return (first.place, first.kind, *rest)


def _priors(
    columns: Columns, own: Rows, active: np.ndarray, words: Words
) -> tuple[np.ndarray, np.ndarray]:
    """Give each candidate its discount (contexts) and its share of unseen relatives."""
    luck, relatives = [], []
    for j, rule in enumerate(columns.rules):
        literal = rule[0]
        form = literal.kind not in ("token", "word")
        held = np.unique(words.word[own.token[columns.own[:, j] & active]])
        if len(rule) > 1:
            luck.append(LUCK_OF_PAIR)
        elif form and literal.place == "here":
            luck.append(LUCK_OF_FORM if len(held) > 1 else np.inf)
        else:
            luck.append(LUCK[literal.place] if literal.place == "here" or len(held) > 1 else np.inf)
        near = literal.place == "here" and len(rule) == 1
        near &= literal.kind in ("stem", "group") or len(literal.values[0]) in AFFIX
        relatives.append(RELATIVES.get(literal.kind, 0.0) if near else 0.0)
    return np.array(luck), np.array(relatives)


def _value(
    chosen: list[int],
    columns: Columns,
    own: Rows,
    activation: np.ndarray,
    active: np.ndarray,
    background: Rows,
) -> Rules:
    """Join literals into sets; attach values, and precision as if both kinds were equally many."""
    merged: dict[tuple[Literal, ...], list[int]] = {}
    for j in chosen:
        before = list(merged)
        after = merge([*before, columns.rules[j]])
        if len(after) == len(before):  # joined to the rule that changed
            at = next(i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b)
            merged = dict(zip(after, merged.values(), strict=True))
            merged[after[at]].append(j)
        else:
            merged[columns.rules[j]] = [j]
    weight = _weights(own, active)
    ordered = sorted(
        merged.items(),
        key=lambda item: (
            -round(float(weight @ columns.own[:, item[1]].any(1)), 6),
            PREFERENCE.index(item[0][0].kind),
        ),
    )
    free, free_there = np.ones(len(weight), bool), np.ones(len(background.token), bool)
    ratio = own.n / max(1, background.n)
    rules = []
    for literals, members in ordered:
        here = free & columns.own[:, members].any(1)
        there = free_there & columns.background[:, members].any(1)
        free &= ~here
        free_there &= ~there
        claimed = here.sum() + ratio * there.sum()
        precision = (active[here].sum() + 0.5) / (claimed + 1)
        mean = activation[here].sum() / claimed if claimed else 0.0
        rules.append(Rule(literals, float(f"{mean:.4g}"), float(f"{precision:.4g}")))
    return Rules(tuple(rules))
