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

The command line prints the message and exits 1; the dashboard shows the same sentence.
"""


class GlossError(Exception):
    """Base of all errors whose message is meant for the user."""


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
