"""Old module names (placeholder until the finder is written)."""


def install() -> None:
    """Install the finder."""
