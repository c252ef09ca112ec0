"""The modules that the pages of the kiosk and of the centre share: elements, and texts by gettext."""

from collections.abc import Mapping
from pathlib import Path

_PLACE = Path(__file__).parent


def modules() -> Mapping[str, Path]:
    """The files that a browser loads, by name."""
    return {path.name: path for path in sorted(_PLACE.glob("*.js"))}
