"""The card of a case: the one with which its waiting actions were made, and whether staff may bind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.cards import CardHash
from sync.central.records.card_blocks import block_of_card
from sync.central.records.card_keys import is_published
from sync.central.records.waiting import cards_of_case
from sync.central.services.errors import CARD_BLOCKED, ApiError
from sync.central.store.transactions import ReadTransaction

_NO_CARD = ApiError("not_applicable", "No action of the case was made with a card, so there is none to bind.")
_SEVERAL = ApiError(
    "not_applicable", "The actions of the case were made with several cards. Bind the right one by itself."
)
_UNKNOWN_KEY = ApiError(
    "not_applicable",
    "The card was read under a card key that the centre does not have. Put the newest key file back, or bind the card"
    " itself.",
)


@dataclass(frozen=True, slots=True)
class CaseCard:
    """The hashes of the card of a case. `fault` is why it cannot be bound; None where it can."""

    cards: tuple[CardHash, ...]
    fault: ApiError | None

    @property
    def blocked(self) -> bool:
        """Whether the card is blocked."""
        return self.fault == CARD_BLOCKED


def read_case_card(db: ReadTransaction, exception_id: str) -> CaseCard:
    """The card of an open case; without hashes where no waiting action was made with a card."""
    found = cards_of_case(db, exception_id)
    cards = tuple(dict.fromkeys(card for each in found for card in each))
    if not cards:
        return CaseCard(cards, _NO_CARD)
    if block_of_card(db, cards) is not None:
        return CaseCard(cards, CARD_BLOCKED)
    if not all(is_published(db, card.key_id) for card in cards):
        return CaseCard(cards, _UNKNOWN_KEY)
    return CaseCard(cards, None if _is_one(found) else _SEVERAL)


def _is_one(found: Sequence[tuple[CardHash, ...]]) -> bool:
    """Whether these are readings of one card: no key has two hashes, and each reading shares a hash with the first.

    During a rotation of the keys a reading may have two hashes.
    """
    keys = {card: card.key_id for each in found for card in each}
    return len(set(keys.values())) == len(keys) and all(set(found[0]) & set(each) for each in found)
