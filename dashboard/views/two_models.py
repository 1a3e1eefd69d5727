"""The page of two models: the same tokens through the same SAEs in two subjects."""

from dashboard import session, strip
from dashboard.panels.two_models import choice, features, game, noise, pairs

PANELS = {"features": features, "pairs": pairs, "noise": noise, "game": game}


@session.guarded
def page() -> None:
    """The two caches, how the SAE fits each, and one part of what is known of them."""
    session.library()
    strip.show()
    chosen = choice.choose()
    if chosen is not None:
        PANELS[chosen.part].show(chosen)


if __name__ == "__main__":
    page()
