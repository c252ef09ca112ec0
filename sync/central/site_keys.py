"""The card keys of the site while it runs: the ones that kiosks have, and the layers under which rows are stored.

Outside a rotation a card is stored under the newest key alone. During a rotation each row that is written gets the
hashes under the old and under the new key, so every reader finds it.
"""

from collections.abc import Iterable
from pathlib import Path

from sync.cards import CardHash, CardKey, CardKeys


class SiteKeys:
    """The keys in their file at `path`. May be used from any thread.

    `published` are the keys that kiosks have or get. A rotation changes the keys inside a write transaction, so they
    stay the same within each other one.
    """

    def __init__(self, path: Path, published: CardKeys, stored_from: str = "") -> None:
        """`stored_from` is the oldest key under which rows may still be stored; without it, the newest one."""
        self.path = path
        self._published = self._known = published
        self._stored_from = stored_from or published.newest

    @property
    def published(self) -> CardKeys:
        """The keys of the kiosks, oldest first."""
        return self._published

    @property
    def known(self) -> CardKeys:
        """All keys of the site, with the one that a rotation is about to publish."""
        return self._known

    @property
    def in_rows(self) -> tuple[str, ...]:
        """The ids of the keys under which rows may be stored, oldest first."""
        ids = self._known.ids
        return ids[ids.index(self._stored_from) :]

    def hashes(self, canonical: str) -> tuple[CardHash, ...]:
        """The hashes under which a card is stored now, from its canonical id, newest first."""
        return self.stored(self._known.hashes(canonical))

    def stored(self, cards: Iterable[CardHash]) -> tuple[CardHash, ...]:
        """The hashes under which a card is stored now, from hashes of it under any keys, newest first.

        A hash under an unknown key stays as it is.
        """
        if not cards:
            return ()
        superseded = set(self._known.ids) - set(self.in_rows)
        found = dict.fromkeys(layer for card in cards for layer in self._known.layers_of(card))
        return tuple(card for card in found if card.key_id not in superseded)

    def lift(self, card: CardHash) -> CardHash:
        """The hash of a card under the newest key of the kiosks. Every stored card has a row under it."""
        return self._published.lift(card)

    def take(self, known: CardKeys, published: CardKeys, stored_from: str) -> None:
        """Takes the keys as another service of the database has left them."""
        self._known, self._published = known, published
        self._stored_from = stored_from or published.newest

    def begin(self, key: CardKey) -> None:
        """Stores cards under a new key too, from now on. Kiosks do not have it yet."""
        self._known = CardKeys((*self._known.keys, key))

    def publish(self) -> None:
        """Gives every key to the kiosks from now on."""
        self._published = self._known

    def finish(self) -> None:
        """Stores cards under the newest key alone from now on."""
        self._stored_from = self._known.newest
