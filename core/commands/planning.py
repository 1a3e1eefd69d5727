"""What `--dry-run` prints."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.llm.planning import Plan


def show(plans: Sequence["Plan"], *, as_json: bool) -> None:
    """Print plans, one a model."""
    for plan in plans:
        if as_json:
            print(json.dumps(plan.as_dict(), ensure_ascii=False))
        else:
            print("\n".join(plan.lines()))
