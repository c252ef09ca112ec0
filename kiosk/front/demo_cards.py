"""The cards that the page of a simulated reader offers."""

from pathlib import Path

import msgspec

from kiosk.addresses import ConfigError
from kiosk.config import ReaderSection
from kiosk.front.counter import DemoCard


def read_demo_cards(section: ReaderSection) -> tuple[DemoCard, ...]:
    """Reads the demo hospital's cards for the page. Raises ConfigError where the file cannot be used."""
    if section.cards is None:
        return ()
    try:
        return msgspec.json.decode(Path(section.cards).read_bytes(), type=tuple[DemoCard, ...])
    except OSError as error:
        raise ConfigError(f"[[reader]] cards: {section.cards}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'[[reader]] cards: {section.cards} is no list of {{"uid", "label"}}: {error}') from error
