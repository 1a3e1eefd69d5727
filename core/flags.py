"""Command-line flags made from the fields of settings records, so that no setting is listed twice.

A field's metadata gives `help` and, where they differ from the usual, `flag` (its name on the
command line), `low` and `high` (limits), `shown` (how its default is shown) and `env` (a variable
that sets it). A field with `hidden` has no flag.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer


class Group(NamedTuple):
    """A record whose fields are flags."""

    record: type
    title: str  # under which the help lists them


def with_flags(
    *leave_out: str, **groups: Group
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, for each group, the flags of a record, and the record made from them.

    >>> @with_flags(settings=Group(Settings, "Rules"))
    ... def explain(cache: str, settings: Settings) -> None: ...

    leave_out: fields that the command sets by itself.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        hints = get_type_hints(command, include_extras=True)
        own = [p for p in signature.parameters.values() if p.name not in groups]
        parts = {name: _parameters(group, leave_out) for name, group in groups.items()}

        def run(**given: Any) -> None:
            made = {
                name: groups[name].record(**{p.name: given.pop(p.name) for p in parts[name]})
                for name in groups
            }
            command(**given, **made)

        added = [parameter for part in parts.values() for parameter in part]
        every = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *added)]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__annotations__ = {p.name: hints.get(p.name, p.annotation) for p in every}
        run.__dict__["__signature__"] = inspect.Signature(every)
        return run

    return decorate


def _parameters(group: Group, leave_out: tuple[str, ...]) -> list[inspect.Parameter]:
    hints = get_type_hints(group.record)
    return [
        inspect.Parameter(
            found.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(found),
            annotation=Annotated[hints[found.name], _option(found, group.title)],
        )
        for found in fields(group.record)
        if found.name not in leave_out and not found.metadata.get("hidden")
    ]


def _default(found: Field) -> Any:
    if found.default is not MISSING:
        return found.default
    return inspect.Parameter.empty if found.default_factory is MISSING else found.default_factory()


def _option(found: Field, title: str) -> Any:
    known = found.metadata
    names = [known["flag"]] if "flag" in known else []
    return typer.Option(
        *names,
        help=_sentence(known.get("help", "")),
        rich_help_panel=title,
        min=known.get("low"),
        max=known.get("high"),
        show_default=known.get("shown", True),
        envvar=known.get("env"),
    )


def _sentence(text: str) -> str:
    """Write help as the other options do, e.g. "of the draws" -> "Of the draws."."""
    return text[:1].upper() + text[1:] + "." if text else ""
