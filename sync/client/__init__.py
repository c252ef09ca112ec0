"""The client library for browsers and Node. The centre serves it to apps, and the kiosk a part of it to its page."""

from collections.abc import Mapping
from pathlib import Path

_PLACE = Path(__file__).parent


def modules() -> Mapping[str, Path]:
    """The files of the library that a browser loads, by name."""
    return {path.name: path for path in sorted(_PLACE.glob("*.js"))}
