"""The only door to nnsight: reads and changes what modules compute, here or on NDIF.

Traces stand in this file only: nnsight remembers its with-blocks by file and line. It is imported
after `core.environment.prepare`, which keeps nnsight from touching every object of the process.
What a block does is the same wherever it runs; only the backend that runs it differs.
"""

import copy
import io
import os
import pickle
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import zstandard
from httpx import HTTPError
from huggingface_hub.errors import HfHubHTTPError
from nnsight import NNsight, TransformersModel, save
from nnsight.intervention.backends.local import LocalSimulationBackend
from nnsight.intervention.backends.remote import RemoteBackend, RemoteError
from nnsight.schema.response import ResponseModel, Status
from torch import Tensor
from websocket import WebSocketException

from core.foreign import RAISED, explained, first_line, last_line
from core.subject.edit import Edit
from data.errors import BadInput

KEY = "NDIF_API_KEY"
UNREADABLE = (NameError, StopIteration, zipfile.BadZipFile, zstandard.ZstdError)


class Traces:
    """A model on this machine. One thread at a time: two at once give wrong or no answers."""

    def __init__(self, model: Any) -> None:
        self._traced: Any = NNsight(model)
        self._lock = threading.Lock()

    def read(self, ids: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        """Read hookpoints, which must be in the order of execution, and stop after the last.

        ids: int64 [batch, sequence] on the model's device. Gives [batch, sequence, width].
        """
        with self._lock, torch.inference_mode():
            return self._read(ids, wanted)

    def _read(self, ids: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        readers = [(p, self._traced.get(p.removesuffix(":in")), p.endswith(":in")) for p in wanted]
        # The block may run elsewhere: it names nothing but these, and says what comes back.
        with self._traced.trace(ids, use_cache=False, backend=self._backend()) as tracer:
            found = save({})
            for name, envoy, is_input in readers:
                value = envoy.input if is_input else envoy.output
                found[name] = value[0] if isinstance(value, tuple) else value
            tracer.stop()
        return found

    def _backend(self) -> Any:
        """What runs a block; None: nnsight itself, in this process."""
        return None

    def edited(self, ids: Tensor, given: dict[str, Any], edit: Edit | None) -> Tensor:
        """Run tokens after those in the cache given; logits of what follows [batch, vocabulary]."""
        with self._lock, torch.inference_mode():
            return self._edited(ids, given, edit)[:, -1].float()

    def every_logit(self, ids: Tensor, edit: Edit | None) -> Tensor:
        """Run sequences from their beginning; logits [batch, sequence, vocabulary]."""
        with self._lock, torch.inference_mode():
            return self._edited(ids, {}, edit)

    def _edited(self, ids: Tensor, given: dict[str, Any], edit: Edit | None) -> Tensor:
        names = (edit.read, edit.write) if edit else ()
        places = [(self._traced.get(n.removesuffix(":in")), n.endswith(":in")) for n in names]
        out: dict[str, Tensor] = {}
        with self._traced.trace(ids, use_cache=True, **given):
            if edit is not None:
                (seen, seen_before), (changed, changed_before) = places
                read = seen.input if seen_before else seen.output
                read = read[0] if isinstance(read, tuple) else read
                whole = changed.input if changed_before else changed.output
                old = whole[0] if isinstance(whole, tuple) else whole
                new = edit.change(read, old)
                if changed_before:
                    changed.input = new
                else:
                    changed.output = (new, *whole[1:]) if isinstance(whole, tuple) else new
            out["logits"] = self._traced.output.logits
        return out["logits"]


class Rehearsal(Traces):
    """nnsight's `remote="local"`: what NDIF would be sent is packed, unpacked and run here."""

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        self._lock = threading.Lock()
        # The wrapper changes the padding of the tokenizer that it is given.
        self._traced = TransformersModel(
            model, tokenizer=copy.deepcopy(tokenizer), task="text-generation", **options
        )

    def _backend(self) -> Any:
        return LocalSimulationBackend(self._traced)


class Ndif(Rehearsal):
    """A model that NDIF hosts; what is here has its modules and none of its weights."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, revision: str | None) -> None:
        require_key()
        model.name_or_path = name
        super().__init__(model, tokenizer, revision=revision, device="meta")
        self._name = name

    def read(self, ids: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        """Read hookpoints as one job; its reply is checked like any foreign file."""
        with _answered(self._name):
            found = super().read(ids, wanted)
        for name in wanted:
            value = found.get(name) if isinstance(found, dict) else None
            if not isinstance(value, Tensor) or value.shape[:-1] != ids.shape:
                raise BadInput(f"NDIF's reply for {self._name} has no activations of {name}")
        return found

    def _backend(self) -> Any:
        return _Backend(
            self._traced.to_model_key(),
            api_key=require_key(),
            host=os.environ.get("NDIF_HOST") or None,
            env=self._traced._remoteable_get_env(),
        )


class _Backend(RemoteBackend):
    """nnsight's way to NDIF, silent, and unpickling tensors only, never other objects."""

    def __init__(self, model_key: str, **options: Any) -> None:
        super().__init__(model_key, **options)
        self.verbose = self.display.enabled = self.display.verbose = False

    @staticmethod
    def parse(message: str | bytes) -> ResponseModel:
        """Read a status: JSON, or an archive of torch where it carries its result."""
        if isinstance(message, bytes | bytearray):
            return ResponseModel(**_enveloped(message))
        return ResponseModel.model_validate_json(message)

    def finalize(self, content: bytes) -> Any:
        """Unpack a result."""
        if self.compress:
            content = zstandard.ZstdDecompressor().decompress(content)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


class _Envelope(pickle.Unpickler):
    """Builds texts, numbers, bytes and a status; torch's own does not know this protocol."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (Status.__module__, Status.__qualname__):
            return Status
        raise pickle.UnpicklingError(f"a status of NDIF holds {module}.{name}")


def _enveloped(message: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(message)) as archive:
        entry = next(e for e in archive.infolist() if e.filename.endswith("/data.pkl"))
        if entry.file_size > len(message):  # torch does not compress
            raise pickle.UnpicklingError("a status of NDIF inflates")
        return _Envelope(io.BytesIO(archive.read(entry))).load()


def require_key() -> str:
    """Take the key from the environment; it goes into the request and nowhere else."""
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise BadInput(f"--remote needs a key of NDIF in the environment: set {KEY}")
    return key


@contextmanager
def _answered(name: str) -> Iterator[None]:
    """Turn whatever keeps NDIF from answering into one line."""
    again = "run the same command again to go on"
    try:
        yield
    except BadInput:
        raise
    except HfHubHTTPError as error:
        raise BadInput(f"cannot name {name} to NDIF: {explained(error)}") from error
    except RemoteError as error:  # its text may be the other side's traceback
        raise BadInput(f"NDIF could not run {name}: {last_line(error)}") from error
    except (HTTPError, WebSocketException, OSError) as error:
        raise BadInput(f"NDIF does not answer for {name} ({first_line(error)}): {again}") from error
    except (*RAISED, *UNREADABLE) as error:  # a name stays unbound where a reply lacks it
        raise BadInput(f"NDIF's reply for {name} is unusable: {explained(error)}") from error
