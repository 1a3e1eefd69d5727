"""Everything Gloss raises for a caller's or the world's mistake, as one tree.

    GlossError            one line: what happened, to what, what to do
    ├── BadInput          a file, folder, setting or argument that cannot be used
    │   └── WrongSae      an SAE that does not fit the subject (both figures in the message)
    ├── NotFound          a cache, hookpoint, feature, run or explanation that is not in the store
    ├── StoreTrouble      the store cannot be read or written
    │   ├── StoreBusy     another process holds the catalogue
    │   └── StoreVersion  the catalogue was written by another version of the schema
    ├── EndpointTrouble   a language model's endpoint does not answer
    │   └── EndpointRefused   it answers that it will not: key, model, address
    ├── BudgetReached     the next call could cost more than is left
    └── Stopped           the work was interrupted by the user

The command line prints the message and exits 1; the dashboard shows the same sentence. `Halt` is
no error and stands beside the tree.
"""

# What a terminal obeys or nobody sees: controls, zero width, direction, line separators.
UNPRINTABLE = [*range(0x20), *range(0x7F, 0xA0), 0x61C, *range(0x200B, 0x2010),
               *range(0x2028, 0x202F), *range(0x2060, 0x206A), 0xFEFF]  # fmt: skip
SHOWN = {code: chr(code).encode("unicode_escape").decode() for code in UNPRINTABLE}


class Halt(BaseException):
    """Ctrl+C or kill; no KeyboardInterrupt, which the command-line library would swallow."""


class GlossError(Exception):
    """Base of all errors whose message is meant for the user."""

    def __str__(self) -> str:
        """One line, whatever was typed or read: what would break or colour it is spelt out.

        >>> str(GlossError("no cache named 'a" + chr(10) + "b'"))
        "no cache named 'a\\nb'"
        """
        return super().__str__().translate(SHOWN)


class BadInput(GlossError):
    """A file, folder, setting or argument that cannot be used."""


class WrongSae(BadInput):
    """An SAE that does not fit the subject it was given for."""


class NotFound(GlossError):
    """Something named by the user that is not in the store."""


class StoreTrouble(GlossError):
    """The store cannot be read or written."""


class StoreBusy(StoreTrouble):
    """Another process holds the catalogue."""


class StoreVersion(StoreTrouble):
    """The catalogue was written by another version of the schema."""


class EndpointTrouble(GlossError):
    """A language model's endpoint does not answer."""


class EndpointRefused(EndpointTrouble):
    """A language model's endpoint answers that it will not: key, model, address."""


class BudgetReached(GlossError):
    """The next call could cost more than is left."""


class Stopped(GlossError):
    """The work was interrupted by the user."""
