"""One gesture: a hand holds one card or several to the readers. Pure values.

A wallet may hold several cards, and a reader finds them one after another. A gesture begins with its first card, and
ends when every reader that holds a card of it says that its field is clear. Within a gesture the best card counts,
whichever comes first: a known person's before an unknown card, and that before a card that cannot be used. Between the
cards of two people the kiosk cannot choose: it acts for nobody. Nor can it choose between two unknown cards, until a
known one comes.
"""

from collections.abc import Hashable
from enum import Enum, IntEnum

from msgspec import Struct
from msgspec.structs import replace


class Rank(IntEnum):
    """How much a card says about its holder. A higher rank takes the screen from a lower one."""

    REFUSED = 0  # it cannot be used
    UNKNOWN = 1  # no patient has it
    KNOWN = 2


class Effect(Enum):
    """What a card does to the screen."""

    SHOW = "show"  # the screen is about this card now
    KEEP = "keep"  # the screen stays
    HOLD_ONE = "hold_one"  # two cards of the same rank: the screen asks for one card


class HeldCard(Struct, frozen=True):
    """A card in the field. `holder` tells people apart: a patient id, or the hashes of an unknown card."""

    rank: Rank
    holder: Hashable = None


class Gesture(Struct, frozen=True):
    """The readers that hold a card of it, the best card so far, and the unknown cards.

    `ambiguous`: another card was as good as the best one, so the gesture names nobody. `left`: the readers with a card
    that nobody holds, because it lay there before or because its person has gone. Such a card does not keep a gesture
    from its end.
    """

    fields: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    best: HeldCard | None = None
    unknown: frozenset[Hashable] = frozenset()
    ambiguous: bool = False

    @property
    def readers(self) -> frozenset[str]:
        """The readers that hold any card."""
        return self.fields | self.left

    def with_card(self, reader: str, card: HeldCard, lay_there: bool = False) -> tuple["Gesture", Effect]:
        """Returns the gesture with a card that came to a reader, or lay there before, and the card's effect."""
        if lay_there and reader not in self.fields:
            held = replace(self, left=self.left | {reader})
        else:
            held = replace(self, fields=self.fields | {reader}, left=self.left - {reader})
        after, effect = held._with_card(card)
        if card.rank is Rank.UNKNOWN:
            after = replace(after, unknown=after.unknown | {card.holder})
        return after, effect

    def with_found(self, cards: Hashable, patient_id: str) -> tuple["Gesture", Effect]:
        """Returns the gesture after an unknown card turned out to be a patient's, and the effect of that.

        A card of an earlier gesture has none.
        """
        if cards not in self.unknown:
            return self, Effect.KEEP
        best = None if self.best == HeldCard(Rank.UNKNOWN, cards) else self.best
        after = replace(self, best=best, unknown=self.unknown - {cards})
        return after._with_card(HeldCard(Rank.KNOWN, patient_id))

    def without_cards(self, reader: str) -> "Gesture":
        """Returns the gesture after the field of a reader is clear. With the last field the gesture ends."""
        fields, left = self.fields - {reader}, self.left - {reader}
        return replace(self, fields=fields, left=left) if fields else Gesture(left=left)

    def without_person(self) -> "Gesture":
        """Returns the gesture after its person has left the screen: the next card takes the screen."""
        return Gesture(left=self.readers)

    def _with_card(self, card: HeldCard) -> tuple["Gesture", Effect]:
        best = self.best
        if best is None or card.rank > best.rank:
            return replace(self, best=card, ambiguous=False), Effect.SHOW
        if self.ambiguous or card == best or card.rank < best.rank:
            return self, Effect.KEEP
        if card.rank is Rank.REFUSED:
            return replace(self, best=card), Effect.SHOW
        return replace(self, ambiguous=True), Effect.HOLD_ONE


NO_GESTURE = Gesture()
