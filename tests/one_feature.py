"""One feature as literal text, for golden prompts: it fires on months in dates."""

from core.explain.evidence import Effect, Evidence, PeakToken, Shown


def shown(text: str, decile: int = 0, **active: float) -> Shown:
    """A context from "|"-separated tokens; `active` gives raw activations by stripped token."""
    pieces = tuple(text.split("|"))
    return Shown(pieces, tuple(active.get(piece.strip(), 0.0) for piece in pieces), decile)


EXAMPLES = (
    shown("The| fair| opens| on| 3| May| and| closes| a| week| later|.", 10, May=8.0),
    shown(
        "Rain| fell| from| late| June| to| the| end| of| July| that| year|.", 7, June=6.1, July=5.2
    ),
    shown("Signed| at| the| harbour|,| 14| October| 1902|,| by| both| captains|.", 9, October=7.4),
    shown("She| may| return| in| March|,| if| the| road| is| open|.", 3, March=2.2, may=0.4),
    shown("Deadline|:| Sept|ember| 30|,| noon|.|\n|No| late| entries|.", 6, Sept=3.1, ember=4.8),
    shown("The| April| issue| was| printed| twice|.", 5, April=4.1),
)
SILENT = (
    shown("You| may| leave| the| room| when| the| bell| rings|."),
    shown("They| march| along| the| river| every| morning|."),
    shown("The| recipe| asks| for| two| cups| of| flour|."),
)
EVIDENCE = Evidence(
    feature=17,
    hookpoint="layers.1.mlp",
    examples=EXAMPLES,
    silent=SILENT,
    max_activation=8.0,
    promoted=(Effect(" 2019", 1.91), Effect(" 1st", 1.42), Effect(",", 0.77)),
    suppressed=(Effect(" the", -1.2), Effect(" of", -0.9)),
    peak_tokens=(
        PeakToken(" May", 41, 7.1),
        PeakToken(" October", 30, 6.6),
        PeakToken(" June", 22, 5.9),
    ),
)
EXPLANATION = "Names of months, above all inside dates."
