"""What `--vary` says: names and values of settings in, every combination out.

"objective=f1,f0.5" and "examples=10,40" make four settings of the grammar. A value means what it
means on the command line of `gloss explain`; "none" leaves a setting out that may be left out.
Every explainer heeds the names that it has; a name that none has is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import Field, fields
from itertools import product
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from core.explain import EXPLAINERS
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from data.errors import BadInput

AnySettings = Settings | ExplainerSettings
GRAMMAR = "grammar"
MOST = 64  # combinations: beyond it somebody has mistyped
NONE = "none"


def variations(explainers: Sequence[str], vary: Sequence[str]) -> tuple[AnySettings, ...]:
    """Combine all values for every explainer; combinations that differ in nothing count once.

    >>> [s.objective for s in variations(["grammar"], ["objective=f1,mdl"])]
    ['f1', 'mdl']
    """
    if not explainers:
        raise BadInput(f"no explainer is named: there is {', '.join(EXPLAINERS)}")
    for name in explainers:
        if name not in EXPLAINERS:
            raise BadInput(f"--explainer {name}: there is {', '.join(EXPLAINERS)}")
    wanted = _named(vary)
    known = {name: field for who in explainers for name, field in settable(who).items()}
    for name in wanted:
        if name not in known:
            raise BadInput(f"--vary {name}: {', '.join(explainers)} can vary {', '.join(known)}")
    made = [one for who in explainers for one in _combined(who, wanted)]
    found = list({(type(one), str(recorded(one))): one for one in made}.values())
    if len(found) > MOST:
        raise BadInput(
            f"--vary makes {len(found)} settings, {MOST} are the most: give fewer values"
        )
    return tuple(found)


def recorded(settings: AnySettings) -> dict[str, object]:
    """What an explainer is known by."""
    if isinstance(settings, ExplainerSettings):
        return settings.recorded()
    return {one.name: getattr(settings, one.name) for one in fields(settings)}


def described(settings: AnySettings) -> tuple[str, dict[str, object]]:
    """The name of an explainer, and the other settings that it is known by."""
    chosen = recorded(settings)
    return str(chosen.pop("explainer", GRAMMAR)), chosen


def differences(
    every: Sequence[tuple[str, Mapping[str, object]]],
) -> list[dict[str, object]]:
    """Of each explainer's settings, those that are not the same wherever that explainer is used.

    >>> differences([("grammar", {"examples": 10, "rules": 8}), ("plain", {"examples": 10}),
    ...              ("grammar", {"examples": 40, "rules": 8})])
    [{'examples': 10}, {}, {'examples': 40}]
    """
    values: dict[tuple[str, str], set[str]] = {}
    for who, settings in every:
        for name, value in settings.items():
            values.setdefault((who, name), set()).add(str(value))
    return [
        {name: value for name, value in settings.items() if len(values[who, name]) > 1}
        for who, settings in every
    ]


def named(explainer: str, differs: Mapping[str, object]) -> str:
    """Write an explainer with what sets it apart, as it is typed.

    >>> named("grammar", {"max_rules": 4, "examples": None})
    'grammar (max-rules 4, examples none)'
    """
    words = (
        f"{name.replace('_', '-')} {NONE if value is None else value}"
        for name, value in differs.items()
    )
    return f"{explainer} ({', '.join(words)})" if differs else explainer


def settable(explainer: str) -> Mapping[str, Field]:
    """Settings that an explainer heeds, by the name of their flag without dashes before it."""
    record = Settings if explainer == GRAMMAR else ExplainerSettings
    return {
        _flag(one): one
        for one in fields(record)
        if one.name != "explainer" and explainer in one.metadata.get("only", (explainer,))
    }


def _flag(field: Field) -> str:
    return field.metadata.get("flag", f"--{field.name}").lstrip("-").replace("_", "-")


def _named(vary: Sequence[str]) -> dict[str, list[str]]:
    """Take "name=a,b" apart."""
    found: dict[str, list[str]] = {}
    for text in vary:
        name, equals, values = text.partition("=")
        name = name.strip().replace("_", "-")
        listed = list(dict.fromkeys(v.strip() for v in values.split(",") if v.strip()))
        if not equals or not name or not listed:
            raise BadInput(f"--vary {text} is not understood: write NAME=VALUE,VALUE")
        if name in found:
            raise BadInput(f"--vary {name} is given twice: write all of its values in one")
        found[name] = listed
    return found


def _combined(explainer: str, wanted: Mapping[str, Sequence[str]]) -> list[AnySettings]:
    record = Settings if explainer == GRAMMAR else ExplainerSettings
    hints, known = get_type_hints(record), settable(explainer)
    axes = {
        known[flag].name: [value_of(flag, text, hints[known[flag].name]) for text in values]
        for flag, values in wanted.items()
        if flag in known
    }
    fixed: dict[str, Any] = {} if explainer == GRAMMAR else {"explainer": explainer}
    return [
        record(**fixed, **dict(zip(axes, values, strict=True)))
        for values in product(*axes.values())
    ]


def value_of(name: str, text: str, kind: Any) -> Any:
    """Read one value of a setting's type.

    >>> value_of("examples", "none", int | None) is None
    True
    """
    if get_origin(kind) in (Union, UnionType):
        (inner,) = [part for part in get_args(kind) if part is not type(None)]
        return None if text.lower() == NONE else value_of(name, text, inner)
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise BadInput(f"--vary {name}={text}: there is {', '.join(get_args(kind))}")
        return text
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise BadInput(f"--vary {name}={text}: give {what}") from None
