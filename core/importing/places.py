"""Hookpoints of a run by their full names, where its subject is at hand.

Runs name modules below the base of a model, as `layers.2`; elsewhere here they have their full
path, as `gpt_neox.layers.2`. Loads no model: names of parameters tell which modules there are.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from core.hookpoints import modules_called
from core.importing.spelling import subject_figures
from data.errors import BadInput
from data.imports.delphi_run import DelphiRun
from data.imports.foreign import read_json
from data.tensorfile import tensors

INDEX = "model.safetensors.index.json"


class Named(NamedTuple):
    """A run with the names that its subject has for the hookpoints."""

    run: DelphiRun
    unknown: tuple[str, ...] = ()  # hookpoints that no module is called like; they keep their names


def in_subject(run: DelphiRun, folder: Path | None) -> Named:
    """Give hookpoints their full names in the subject of a folder; one of several is refused."""
    if folder is None:
        return Named(run)
    architecture, known = subject_figures(folder).architecture, tuple(_parameters(folder))
    found = {name: modules_called(name, architecture, known) for name in run.hookpoints}
    for name, modules in found.items():
        if len(modules) > 1:
            raise BadInput(
                f"{name} of {run.root} may be {' or '.join(modules)} of the subject in {folder}: "
                "leave out --subject to import it under its own name"
            )
    names = {name: modules[0] for name, modules in found.items() if modules}
    if len({names.get(name, name) for name in found}) < len(found):
        raise BadInput(f"two hookpoints of {run.root} are one module of the subject in {folder}: "
                       "leave out --subject")  # fmt: skip
    return Named(run.renamed(names), tuple(name for name, modules in found.items() if not modules))


def _parameters(folder: Path) -> Iterator[str]:
    """Names of the parameters in a folder of safetensors; none of another kind of file."""
    if (folder / INDEX).is_file():
        listed = read_json(folder / INDEX, dict, limit=50_000_000).get("weight_map")
        yield from listed if isinstance(listed, dict) else ()
        return
    for path in sorted(folder.glob("*.safetensors")):
        yield from tensors(path)
