"""Card keys of a page: they go into the key file, and the stored cards are lifted to the newest one."""

from kiosk.journey import pages
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.store import audit, card_layers
from kiosk.store.identity import reset_cursor
from sync.protocol import PullAnswer

CARDS_AT_ONCE = 200  # cards of one transaction, which takes about as long as a tap


def take_card_keys(kiosk: ThisKiosk, page: PullAnswer) -> bool:
    """Writes the card keys of a page, unless the page is overtaken: a kiosk that has ended keeps no key.

    Returns whether the keys lack the newest one of this kiosk, as after a restore with an older key file. The stored
    cards are known no more then, so the next page is the first of a snapshot. Raises NotEnrolled, ValueError for keys
    that cannot be used, and OSError where the key file cannot be written.
    """
    if page.card_keys is None:
        return False
    with kiosk.store.read():
        if pages.is_overtaken(page, kiosk.enrolled_identity()):
            return False
        newest = kiosk.cards.keys.newest
        has_lost = bool(newest) and newest not in page.card_keys.ids
        if has_lost:
            # Before the file: a crash in between must not leave cards under a key that is gone.
            with kiosk.change() as db:
                reset_cursor(db)
                audit.note(db, kiosk.context(db).at_ms, "card_keys", f"the centre lacks the key {newest}")
        kiosk.cards.take(page.card_keys)
    return has_lost


def lift_cards(kiosk: ThisKiosk) -> None:
    """Lifts the stored cards to the newest key, in several transactions.

    A tap finds a card under any key meanwhile. A page lifts what it brings, so it must find the others lifted.
    """
    while _has_older_cards(kiosk):
        with kiosk.store.write() as db:
            card_layers.lift_some(db, kiosk.cards.keys, CARDS_AT_ONCE)


def _has_older_cards(kiosk: ThisKiosk) -> bool:
    with kiosk.store.read() as db:
        return card_layers.has_older(db, kiosk.cards.keys)
