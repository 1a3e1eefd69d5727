"""Replies of language models, kept before they are used: journal first, catalogue when it is free.

A reply is appended to this process's journal and fsynced, in groups of at most 50 ms, and only then
handed on. `fold` moves what the journal holds into the tables request_prefix and reply, inside
somebody's transaction; the journal's file goes after the commit. What a killed process left in its
journal is folded when the store's replies are opened the next time. Everything is keyed by the hash
of all that determines a reply, so folding twice changes nothing.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from threading import Condition, Lock, Thread
from typing import Any, NamedTuple

from data.catalogue import Catalogue, Connection
from data.errors import StoreBusy, StoreTrouble
from data.journals import FOLDER, Segment, orphans
from data.reply_rows import (
    KeptAnswer,
    KeptReply,
    Prefix,
    among,
    as_line,
    insert_replies,
    look_up,
    reply_ids,
    short_keys,
)

__all__ = ["KeptAnswer", "KeptReply", "ReplyStore", "reply_ids"]

GATHER = 0.02  # seconds for which a group of replies is gathered
CHUNK = 2000  # replies that are added to the catalogue at once

Kept = Callable[[StoreTrouble | None], None]  # told that a reply is on the disk, or why it is not


class _Waiting(NamedTuple):
    """A reply on its way to the disk."""

    reply: KeptReply
    then: Kept


class ReplyStore:
    """The replies of one store; safe to share between threads and clients of a process."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Open the store's replies, folding what dead processes left behind."""
        self._catalogue = catalogue
        self._folder = catalogue.store / FOLDER
        self._changed = Condition()  # guards everything down to _full
        self._queue: list[_Waiting] = []
        self._writing = False
        self._closing = False
        self._trouble: StoreTrouble | None = None
        self._unfolded: dict[str, KeptReply] = {}
        self._folded: set[str] = set()  # by this object
        self._full: list[Segment] = []  # nothing more is written to them
        self._file = Lock()  # guards the segment in use, is taken before _changed
        self._segment: Segment | None = None
        self._prefixes: set[str] = set()  # hashes of those in the segment in use
        self._hashes: dict[Prefix, str] = {}
        self._fold_orphans()
        with catalogue.reading() as con:
            # Most requests of a run are new: these keep them from opening the catalogue.
            self._stored = short_keys(con)
        self._writer = Thread(target=self._write_groups, name="gloss-journal", daemon=True)
        self._writer.start()

    def keep(self, reply: KeptReply, then: Kept) -> None:
        """Put a reply on the disk; `then` is called, from another thread, when it is there."""
        with self._changed:
            refused = self._trouble
            if refused is None and self._closing:
                refused = StoreTrouble(f"{self._folder} is closed: a reply came too late")
            if refused is None:
                self._queue.append(_Waiting(reply, then))
                if len(self._queue) == 1:
                    self._changed.notify_all()
        if refused is not None:
            then(refused)

    def flush(self) -> None:
        """Wait until everything given so far was handed on, or cannot be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._writing)

    def holds(self, key: str) -> bool:
        """Say whether the reply to a request was kept by this object."""
        with self._changed:
            return key in self._unfolded or key in self._folded

    def known(self, keys: Sequence[str]) -> dict[str, KeptAnswer]:
        """Look up replies by request; those in the catalogue by one query at most."""
        with self._changed:
            found = {key: self._unfolded[key].answer for key in keys if key in self._unfolded}
            others = [key for key in keys if key not in found]
            wanted = [key for key in others if key in self._folded]
        wanted += among([key for key in others if key not in wanted], self._stored)
        if wanted:
            with self._catalogue.reading() as con:
                found |= look_up(con, wanted)
        return found

    def fold(self, con: Connection) -> None:
        """Move kept replies into the catalogue, as part of an open writing transaction.

        Called before rows that refer to replies are written. When the transaction is not kept,
        the replies stay in the journal and the next call folds them.
        """
        with self._file, self._changed:
            if self._segment is not None:
                self._full.append(self._segment)
                self._segment = None
                self._prefixes.clear()
            replies, segments = list(self._unfolded.values()), list(self._full)
            named = [(self._hash(reply.prefix), reply) for reply in replies]
        for first in range(0, len(named), CHUNK):
            insert_replies(con, named[first : first + CHUNK])
        if segments:
            con.after_commit(lambda: self._forget(replies, segments))

    def close(self) -> None:
        """Write what is left, and fold it unless another process holds the catalogue for long.

        What cannot be folded now stays in the journal, for whoever opens the store next.
        """
        self._end_writer()
        try:
            if self._unfolded:
                with self._catalogue.writing() as con:
                    self.fold(con)
        except StoreBusy:
            pass
        finally:
            self._release()

    def leave(self) -> None:
        """Write what is left and leave it in the journal: quick, whoever holds the catalogue."""
        self._end_writer()
        self._release()

    def _end_writer(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._writer.join()

    def _release(self) -> None:
        for segment in [*self._full, *([self._segment] if self._segment else [])]:
            segment.release()
        self._full, self._segment = [], None

    # The journal and its thread

    def _write_groups(self) -> None:
        """Write what is queued, group after group, until closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
            time.sleep(GATHER)
            with self._changed:
                group, self._queue, self._writing = self._queue, [], True
            trouble = self._write(group)
            if trouble is not None:
                with self._changed:
                    self._trouble, late, self._queue = trouble, self._queue, []
                group = [*group, *late]
            for waiting in group:
                waiting.then(trouble)
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write(self, group: Sequence[_Waiting]) -> StoreTrouble | None:
        """Append a group to the journal: all of it is there, or nothing."""
        with self._file:
            try:
                if self._segment is None:
                    self._segment = Segment.create(self._folder)
                self._segment.append([li for one in group for li in self._lines(one.reply)])
            except StoreTrouble as trouble:
                return trouble
            with self._changed:
                self._unfolded |= {one.reply.answer.key: one.reply for one in group}
        return None

    def _lines(self, reply: KeptReply) -> list[str]:
        """Write a reply as lines; its prefix only where the file does not have it yet."""
        name = self._hash(reply.prefix)
        said = {each: getattr(reply, each) for each in REPLY}
        answer = {each: getattr(reply.answer, each) for each in ANSWER}
        line = as_line(said | {"answer": answer, "prefix": name})
        if name in self._prefixes:
            return [line]
        self._prefixes.add(name)
        return [as_line({"prefix": name, "messages": reply.prefix}), line]

    def _hash(self, prefix: Prefix) -> str:
        if prefix not in self._hashes:
            self._hashes[prefix] = hashlib.sha256(as_line(prefix).encode()).hexdigest()
        return self._hashes[prefix]

    def _fold_orphans(self) -> None:
        self._full = orphans(self._folder)
        for segment in self._full:
            self._unfolded |= {reply.answer.key: reply for reply in _replies(segment)}
        if self._full:
            with self._catalogue.writing() as con:
                self.fold(con)

    def _forget(self, replies: Sequence[KeptReply], segments: Sequence[Segment]) -> None:
        """Drop what has reached the catalogue."""
        with self._changed:
            for reply in replies:
                self._unfolded.pop(reply.answer.key, None)
                self._folded.add(reply.answer.key)
            done = [segment for segment in segments if segment in self._full]
            self._full = [segment for segment in self._full if segment not in done]
        for segment in done:
            segment.discard()


REPLY = [field.name for field in fields(KeptReply)]
ANSWER = [field.name for field in fields(KeptAnswer)]


def _replies(segment: Segment) -> Iterator[KeptReply]:
    """Read a journal back."""
    prefixes: dict[str, Prefix] = {}
    for record in segment.records():
        if "messages" in record:
            prefixes[record["prefix"]] = _prefix(record)
        elif record["prefix"] in prefixes:  # else its line was damaged
            known = {"answer": KeptAnswer(**record["answer"]), "prefix": prefixes[record["prefix"]]}
            yield KeptReply(**record | known)


def _prefix(record: dict[str, Any]) -> Prefix:
    return tuple((role, content) for role, content in record["messages"])
