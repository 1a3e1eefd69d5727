"""The tables request_prefix and reply: replies in, answers and ids out.

Only statements inside somebody's connection; `data/replies.py` says when they run.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.catalogue import Connection

SHORT = 16  # hexadecimal digits that tell stored replies apart well enough to look for them

Prefix = tuple[tuple[str, str], ...]  # role and content of every turn before the question


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What came back."""

    key: str  # sha256 of the request
    text: str
    finish: str | None
    logprobs: str | None  # JSON: [token, logprob, {alternative: logprob}] each
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class KeptReply:
    """An answer with the question it belongs to."""

    answer: KeptAnswer
    address: str  # base URL, without anything secret
    model: str
    purpose: str
    prefix: Prefix
    question: str
    parameters: str  # JSON
    created_at: float  # seconds since 1970, UTC


def insert_replies(con: Connection, named: Sequence[tuple[str, KeptReply]]) -> None:
    """Add replies, each with the hash of its prefix; those that are there already stay."""
    prefixes = {name: reply.prefix for name, reply in named}
    messages = [
        as_line([(role, text(content)) for role, content in prefix]) for prefix in prefixes.values()
    ]
    rows = pa.table({"sha256": list(prefixes), "messages": messages})
    with con.table("incoming_prefix", rows):
        con.run(INSERT_PREFIXES)
        found = {row["sha256"]: row["prefix_id"] for row in con.rows(PREFIX_IDS)}
    incoming = _reply_rows([reply for _, reply in named], [found[name] for name, _ in named])
    with con.table("incoming_reply", incoming):
        con.run(INSERT_REPLIES)


def look_up(con: Connection, keys: Sequence[str]) -> dict[str, KeptAnswer]:
    """Find answers by the hashes of their requests."""
    with con.table("wanted", pa.table({"request_sha256": pa.array(keys, pa.string())})):
        rows = con.rows(LOOK_UP)
    return {row["key"]: KeptAnswer(**row) for row in rows}


def reply_ids(con: Connection, keys: Iterable[str]) -> dict[str, int]:
    """Find the reply_id of every request that has one, by its hash; inside any transaction."""
    wanted = pa.table({"request_sha256": pa.array(list(keys), pa.string())})
    with con.table("wanted", wanted):
        rows = con.rows(REPLY_IDS)
    return {row["request_sha256"]: row["reply_id"] for row in rows}


def short_keys(con: Connection) -> np.ndarray:
    """List the beginnings of all stored requests' hashes, sorted, bytes [n]."""
    short = f"substr(request_sha256, 1, {SHORT}) as short"
    keys = con.frame(f"select {short} from reply order by short")["short"]
    return keys.to_numpy().astype(f"S{SHORT}")


def among(keys: Sequence[str], short: np.ndarray) -> list[str]:
    """Choose the keys whose beginnings are in a sorted list, e.g. of `short_keys`."""
    if not len(short) or not keys:
        return []
    wanted = np.array([key[:SHORT] for key in keys], short.dtype)
    place = np.searchsorted(short, wanted).clip(max=len(short) - 1)
    return [key for key, hit in zip(keys, short[place] == wanted, strict=True) if hit]


# The conflict names its column: without, DuckDB 2.0 takes 170 µs a row in a table of 300,000
# replies, which has two unique columns; with it, 9 µs.
INSERT_PREFIXES = """
insert into request_prefix (sha256, messages)
select sha256, messages from incoming_prefix
on conflict (sha256) do nothing
"""

PREFIX_IDS = """
select prefix_id, sha256
from request_prefix
semi join incoming_prefix using (sha256)
"""

COLUMNS = """request_sha256, address, model, purpose, prefix_id, question, parameters, text, finish,
       logprobs, input_tokens, output_tokens, cost_usd, seconds, created_at"""

INSERT_REPLIES = f"""
insert into reply ({COLUMNS})
select {COLUMNS}
from incoming_reply
on conflict (request_sha256) do nothing
"""

LOOK_UP = """
select request_sha256 as key, text, finish, logprobs, input_tokens, output_tokens, cost_usd, seconds
from reply
semi join wanted using (request_sha256)
"""

REPLY_IDS = """
select request_sha256, reply_id
from reply
semi join wanted using (request_sha256)
"""


def _reply_rows(replies: Sequence[KeptReply], prefix_ids: Sequence[int]) -> pa.Table:
    answers = [reply.answer for reply in replies]
    created = [round(reply.created_at * 1e6) for reply in replies]
    return pa.table(
        {
            "request_sha256": pa.array([answer.key for answer in answers], pa.string()),
            "address": pa.array([reply.address for reply in replies], pa.string()),
            "model": pa.array([text(reply.model) for reply in replies], pa.string()),
            "purpose": pa.array([reply.purpose for reply in replies], pa.string()),
            "prefix_id": pa.array(prefix_ids, pa.uint32()),
            "question": pa.array([text(reply.question) for reply in replies], pa.string()),
            "parameters": pa.array([reply.parameters for reply in replies], pa.string()),
            "text": pa.array([text(answer.text) for answer in answers], pa.string()),
            "finish": pa.array([answer.finish for answer in answers], pa.string()),
            "logprobs": pa.array([answer.logprobs for answer in answers], pa.string()),
            "input_tokens": pa.array([answer.input_tokens for answer in answers], pa.uint32()),
            "output_tokens": pa.array([answer.output_tokens for answer in answers], pa.uint32()),
            "cost_usd": pa.array([answer.cost_usd for answer in answers], pa.float64()),
            "seconds": pa.array([answer.seconds for answer in answers], pa.float32()),
            "created_at": pa.array(created, pa.timestamp("us")),
        }
    )


def text(said: str) -> str:
    """Give text that fits a column: half characters, which JSON can spell, become "?"."""
    return said if said.isascii() else said.encode("utf-8", "replace").decode()


def as_line(value: object) -> str:
    """Write a value as one line of ASCII JSON."""
    return json.dumps(value, separators=(",", ":"))
