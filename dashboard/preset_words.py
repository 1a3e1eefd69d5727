"""What the presets of the page of features ask for, in words; knows nothing of Streamlit."""

from core.drawing.facts import EXPLAINED, SCORED
from data.feature_filter import APART, LOW, MANY_FAILED, Filter, Preset

LEFT_OUT = f"features with over {100 * MANY_FAILED:.0f} % failed verdicts are left out"
# What passes, and the preset's own order.
MEANINGS = {
    Preset.LOW_DETECTION: (f"Detection below {LOW:.2f}", "lowest first"),
    Preset.WORST: (f"Every feature with a detection score; {LEFT_OUT}",
                   "lowest upper end of the detection interval first"),
    Preset.DISAGREE: (f"Detection and fuzzing differ by {APART:.2f} or more; {LEFT_OUT}",
                      "largest difference first"),
    Preset.UNSCORED: ("Explained, but without any verdict", ""),
    Preset.UNEXPLAINED: ("Fires, but has no usable explanation", ""),
    Preset.FAILED: ("At least one verdict is not usable", "most of them first"),
    Preset.DEAD: ("Never fired in this cache", ""),
    Preset.SCARCE: (f"Fewer than {SCORED} distinct contexts, too few to score; rare below "
                    f"{EXPLAINED}", ""),
    Preset.BOOKMARKED: ("Bookmarked by you", ""),
}  # fmt: skip


def meaning(wanted: Filter) -> str:
    """The chosen preset in a sentence; "" for All. Its order only where no other one is chosen.

    >>> meaning(Filter(preset=Preset.LOW_DETECTION))
    'Detection below 0.70; lowest first.'
    """
    asked, order = MEANINGS.get(wanted.preset, ("", ""))
    has_own_order = wanted.sort is None and wanted.near is None
    parts = [asked, order] if order and has_own_order else [asked]
    return f"{'; '.join(parts)}." if asked else ""
