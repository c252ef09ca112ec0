"""The site's card keys in their file beside the database, and a card's hashes under them."""

import logging
from collections.abc import Iterable
from pathlib import Path

from sync.cards import CardHash, CardKeys, read_keys, usable, write_keys

log = logging.getLogger(__name__)


class SiteCards:
    """Hashes cards under the site's card keys. May be used from any thread.

    The key file is read at the start and after each enrolment. A pull replaces it after a rotation of the keys, and
    where it is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = CardKeys(())
        self.refresh()

    @property
    def keys(self) -> CardKeys:
        """The keys in use, oldest first; none before the enrolment."""
        return self._keys

    def refresh(self) -> None:
        """Reads the key file again. Without a usable file no card is known, and the log says why."""
        try:
            self._keys = read_keys(self._path)
        except FileNotFoundError:
            log.info("no card keys yet: the enrolment brings them")
        except (OSError, ValueError) as error:
            # Without the message of the parser, which could quote the file.
            log.error("the card keys in %s cannot be used: %s", self._path, type(error).__name__)  # noqa: TRY400

    def take(self, keys: CardKeys) -> None:
        """Writes other keys into the file, durably, and uses them then.

        Raises ValueError where they cannot be used, and OSError where the file cannot be written. The keys stay then.
        """
        if not usable(keys):
            raise ValueError("no usable card key")
        if self._keys.keys and self._keys.newest not in keys.ids:
            log.warning("the centre does not have the card key %s: its key file is an older one", self._keys.newest)
        write_keys(self._path, keys)
        self._keys = keys

    def hashes(self, card: str) -> tuple[CardHash, ...]:
        """Returns the hash of a card's canonical id under every key, newest first."""
        return self._keys.hashes(card)

    def present(self, cards: Iterable[CardHash]) -> tuple[CardHash, ...]:
        """Returns all hashes of a card that was read a while ago, newest first. A key may have come since."""
        cards, keys = tuple(cards), self._keys
        if tuple(card.key_id for card in reversed(cards)) == keys.ids:
            return cards  # all of them, as `hashes` gives them
        found = {layer for card in cards for layer in keys.layers_of(card)}
        return tuple(sorted(found, key=lambda card: _layer(keys, card), reverse=True))


def _layer(keys: CardKeys, card: CardHash) -> int:
    """The layer of a hash, from 0; -1 for a hash under a key that is no longer there."""
    return keys.ids.index(card.key_id) if card.key_id in keys.ids else -1
