"""Not built yet."""

from dashboard import session


@session.guarded
def page() -> None:
    """Nothing yet."""


if __name__ == "__main__":
    page()
