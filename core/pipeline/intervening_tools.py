"""What all hookpoints of an intervention study share: subject, SAEs, judge, explainer, clients."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from core.intervening.settings import Sizes
from core.intervening.strength import require_decoder
from core.intervening.verdict import EndpointJudge, LocalJudge
from core.intervening.wording import Model, Template, Wording
from core.llm.client import EndpointClient, open_client
from core.llm.settings import EndpointSettings
from core.pipeline.inputs import full_subject
from core.probe import Probe, open_probe
from core.prompts.intervention import few_shots
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import CacheRecord

if TYPE_CHECKING:
    from core.causal import Causal
    from core.pipeline.intervening import InterveneRequest

TEMPLATE = "template"
IN_FLIGHT = 8  # features at once where an endpoint is waited for
ABOVE_CHANCE = 0.5  # nats a token that a judge has to read better than by lot


class Tools(NamedTuple):
    """What all hookpoints share."""

    probe: Probe
    judge: LocalJudge | EndpointJudge
    judge_sha256: str | None  # of a local judge's weights; None = an endpoint has them
    wording: Wording
    clients: tuple[EndpointClient, ...]
    sizes: Sizes  # as they fit the subject and the cache
    notes: tuple[str, ...]  # what was shortened

    @property
    def threads(self) -> int:
        """Features at once."""
        return IN_FLIGHT if self.clients else 1


@contextmanager
def opened(
    catalogue: Catalogue,
    record: CacheRecord,
    hookpoints: Sequence[str],
    request: "InterveneRequest",
) -> Iterator[Tools]:
    """Load subject, SAEs and judge, and open the clients that are needed."""
    with ExitStack() as stack:
        clients: list[EndpointClient] = []

        def client(model: str) -> EndpointClient:
            endpoint = replace(request.endpoint or EndpointSettings(), model=model)
            beside = clients[0] if clients else None
            found = stack.enter_context(open_client(catalogue, endpoint, beside=beside))
            clients.append(found)
            return found

        is_template = request.explainer == TEMPLATE
        wording = Template() if is_template else Model(client(request.explainer))
        far = EndpointJudge(client(request.judge)) if request.judge else None
        probe = open_probe(catalogue, record, hookpoints, device=request.device)
        probe.subject.decoding()  # refuses a subject that cannot write on, before any work
        for name in hookpoints:
            require_decoder(probe.sae(name))
        sizes, note = fitted(request.sizes, probe)
        judge, sha256, unread = (far, None, "") if far else _local(request, sizes)
        notes = [note, judge.note, unread, _liking(request, record, sha256, probe)]
        yield Tools(
            probe, judge, sha256, wording, tuple(clients), sizes, tuple(filter(None, notes))
        )


def _local(request: "InterveneRequest", sizes: Sizes) -> tuple[LocalJudge, str, str]:
    """The judge, the fingerprint of its weights, and whether it has learned to read at all."""
    from core.causal import Causal

    name = full_subject(request.judge_model)
    reader = Causal.load(name, device=request.device, role="judge")
    judge = LocalJudge(reader, sizes.context + sizes.new_tokens)
    return judge, reader.sha256, unread(reader)


def unread(reader: "Causal") -> str:
    """Say so where a judge finds text no likelier than tokens by lot; "" = it can read.

    Such a judge gives every feature and every baseline a score near 0, which looks like a result.
    """
    text = few_shots(1)
    if reader.max_length is not None and 2 * reader.n_text_tokens(text) > reader.max_length:
        return ""
    loss = -float(reader.logprobs("Passage: ", [text])[0].mean())
    if loss < math.log(reader.n_vocabulary) - ABOVE_CHANCE:
        return ""
    return (f"{reader.name} finds English as unlikely as tokens by lot ({loss:.1f} nats a token): "
            "it has learned nothing, its scores will be near 0 whatever features do")  # fmt: skip


def _liking(
    request: "InterveneRequest", record: CacheRecord, sha256: str | None, probe: Probe
) -> str:
    """Say so where the judge reads what it wrote, by whatever path or name; "" = it does not."""
    is_named = bool(request.judge_model) and full_subject(request.judge_model) == record.subject
    if is_named or (sha256 is not None and sha256 == probe.meta.subject_sha256):
        return "the judge is the subject itself: it may like what it wrote; use another"
    return ""


def fitted(sizes: Sizes, probe: Probe) -> tuple[Sizes, str]:
    """Shorten contexts to what the cache's sequences and the subject hold; and say so."""
    longest = probe.subject.max_length
    room = [probe.meta.sequence_length]
    if longest is not None:
        room.append(longest - sizes.new_tokens - (probe.meta.bos_id is not None))
    context = min(sizes.context, *room)
    if context < 2:
        raise BadInput(
            f"the subject {probe.meta.subject} reads {longest} tokens: no room for a prompt and "
            f"{sizes.new_tokens} new ones"
        )
    if context == sizes.context:
        return sizes, ""
    return replace(sizes, context=context), (
        f"contexts of {context} tokens instead of {sizes.context}: sequences have "
        f"{probe.meta.sequence_length}, the subject reads {longest or 'any number'}"
    )
