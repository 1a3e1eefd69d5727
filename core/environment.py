"""Settings of other libraries that must stand before those libraries are imported.

Called by the command line and by the dashboard's door first thing; `core.subject` calls it again
before it imports nnsight, for those who use Gloss as a library. A user's own choice always stands.
"""

import os
from pathlib import Path

DEFAULTS = {
    # Threads that wait by spinning make a busy machine several times slower.
    "OMP_WAIT_POLICY": "PASSIVE",
    # numpy's own products are small here: a second thread only spins, in every worker.
    "OPENBLAS_NUM_THREADS": "1",
    # nnsight otherwise puts a `.save` on every object of the process.
    "NNSIGHT_CONFIG": str(Path(__file__).with_name("nnsight.yaml")),
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}


def prepare() -> None:
    """Set what is not set yet."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
