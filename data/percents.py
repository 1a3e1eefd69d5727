"""Shares as people read them."""


def percent(share: float, digits: int = 0) -> str:
    """A share with so many digits after the point, e.g. percent(0.8) -> "80 %"."""
    return f"{100 * share:.{digits}f} %"
