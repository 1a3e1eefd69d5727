"""Loads Gemma Scope (params.npz) and Gemma Scope 2 (params.safetensors): JumpReLU throughout.

Both keep W_enc [d, F], W_dec [F, d_out], b_enc, b_dec and threshold [F], some files with lower-case
names, and never subtract b_dec from the input. The first has no configuration: what is read is said
by the address alone, `gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82`. The second names its
modules in config.json, and its transcoders may have affine_skip_connection [d_in, d_out].
"""

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple

from core.sae.checks import notes_of
from core.sae.coder import Origin, Sae, Switches, Weights
from core.sae.hooks import Hook
from core.sae.jumprelu import JumpReLU
from core.sae.places import Place
from core.sae.settings import choice, read_settings, switch, word
from core.sae.stored import Stored, open_npz, open_safetensors
from data.errors import BadInput
from data.imports.foreign import file_sha256, shown

NAME, NAME_2 = "Gemma Scope", "Gemma Scope 2"
REPOSITORY = re.compile(r"gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)\b")
FOLDERS = re.compile(r"\b(?:layer_(\d+)|(embedding))/width_(\w+)/average_l0_(\d+)\b")
WIDTHS = {"4k": 2**12, "16k": 2**14, "32k": 2**15, "65k": 2**16, "131k": 2**17, "262k": 2**18,
          "524k": 2**19, "1m": 2**20}  # fmt: skip
NOWHERE = (
    "its address does not name a Gemma Scope repository and a layer, so nothing says what it reads"
)


class Address(NamedTuple):
    """What folders and repository say."""

    model: str | None  # gemma-2-2b
    kind: str | None  # of the repository: res, mlp, att, transcoders
    layer: str | None  # number or "embedding"
    width: str | None  # 16k
    l0: int | None  # active features a token


def load(place: Place) -> Sae:
    """Load a Gemma Scope SAE or transcoder."""
    address = read_address(place.words)
    stored = open_npz(place.path / "params.npz", NAME)
    transcoder = address.kind == "transcoders"
    settings = {"format": NAME, "width": address.width, "expected_l0": address.l0}
    settings = {key: value for key, value in settings.items() if value is not None}
    return _sae(place, stored, settings, read_hook(place), transcoder, _notes(address, stored))


def read_hook(place: Place) -> Hook | None:
    """Say what it reads, in the words of the collection; None where its address does not say."""
    address = read_address(place.words)
    if address.layer is None:
        return None
    if address.layer == "embedding":
        # Before it is multiplied by the root of its width, which some modules do themselves.
        return Hook("gemma_scope", "embedding", bos=True, model=address.model)
    if address.kind is None:
        return None
    writes = f"mlp/{address.layer}" if address.kind == "transcoders" else None
    name = f"{address.kind}/{address.layer}"
    return Hook("gemma_scope", name, writes=writes, bos=True, model=address.model)


def read_address(words: str) -> Address:
    """Read the last repository and the last folders that an address names.

    "google/gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82" is res of layer 12, 82 active.
    """
    repository = REPOSITORY.findall(words)
    size, state, kind = repository[-1] if repository else (None, None, None)
    model = f"gemma-2-{size}" + ("-it" if state == "it" else "") if size else None
    folders = FOLDERS.findall(words)
    layer, embedding, width, l0 = folders[-1] if folders else (None, None, None, None)
    return Address(model, kind, layer or embedding, width, int(l0) if l0 else None)


def _notes(address: Address, stored: Stored) -> tuple[str, ...]:
    features = stored.length("b_enc")
    notes = []
    if address.layer != "embedding" and None in (address.layer, address.kind):
        notes.append(NOWHERE)
    if WIDTHS.get(address.width or "", features) != features:
        notes.append(f"its folder says {address.width} features, its file has {features}")
    return tuple(notes)


def load_2(place: Place) -> Sae:
    """Load a Gemma Scope 2 SAE or transcoder."""
    path = place.path / "config.json"
    if "clt" in re.split(r"[/_]", "/".join(place.path.parts[-3:])):
        raise BadInput(
            f"{shown(place.path)} is a cross-layer transcoder, which is not read: give an SAE or "
            "a transcoder of one layer"
        )
    settings = read_settings(path)
    choice(path, settings, "architecture", ("jump_relu",))
    hook = _hook_2(settings)
    stored = open_safetensors(place.path / "params.safetensors", NAME_2)
    if switch(path, settings, "affine_connection", False):
        stored.shape("affine_skip_connection")  # has to be there
    transcoder = hook is not None and hook.writes is not None
    return _sae(place, stored, {**settings, "format": NAME_2}, hook, transcoder, ())


def read_hook_2(place: Place) -> Hook | None:
    """Say which modules a Gemma Scope 2 SAE reads and writes."""
    return _hook_2(read_settings(place.path / "config.json"))


def _hook_2(settings: dict[str, Any]) -> Hook | None:
    given = word(settings, "hf_hook_point_in")
    if given is None:
        return None
    name, side = split_side(given)
    out = word(settings, "hf_hook_point_out")
    writes = split_side(out)[0] if out and out != given else None
    return Hook("module", name, side, writes, bos=True, model=word(settings, "model_name"))


def split_side(name: str) -> tuple[str, Literal["in", "out"]]:
    """Split a module path from the side that it ends in: "a.b.input" is the input of a.b."""
    for ending, side in ((".input", "in"), (".output", "out")):
        if name.endswith(ending):
            return name.removesuffix(ending), "in" if side == "in" else "out"
    return name, "out"


def _sae(
    place: Place,
    stored: Stored,
    settings: dict[str, Any],
    hook: Hook | None,
    transcoder: bool,
    notes: tuple[str, ...],
) -> Sae:
    """Read the arrays that both collections keep, whatever the case of their names."""
    case = str.lower if "w_enc" in stored else str
    d_out, features = stored.length("b_dec"), stored.length("b_enc")
    d_in = stored.shape(case("W_enc"))[:1]
    skip = "affine_skip_connection"
    # Nothing else says so where the address does not: another width is another place.
    transcoder = transcoder or (hook is None and (d_in != (d_out,) or skip in stored))
    d = d_in[0] if transcoder and d_in else d_out
    weights = Weights(
        W_enc=stored.take(case("W_enc"), d, features),
        b_enc=stored.take("b_enc", features),
        b_dec=stored.take("b_dec", d_out),
        W_dec=stored.take(case("W_dec"), features, d_out),
        W_skip=stored.take(skip, d, d_out).T.contiguous() if skip in stored else None,
    )
    threshold = stored.take("threshold", features)
    origin = Origin(
        source=place.source,
        sha256=file_sha256(Path(stored.path)),
        settings={**settings, "dtype": stored.dtype},
        notes=(*notes, *notes_of(weights, stored, threshold)),
        hook=hook,
    )
    switches = Switches(centred=False, transcoder=transcoder, origin=origin)
    return JumpReLU(weights, threshold, **switches)
