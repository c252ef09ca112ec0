"""Takes the cards of a patient's row."""

from collections.abc import Sequence
from dataclasses import dataclass

from sync.cards import CardHash, RefusedCard, judge_tag
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import RefusedRow
from sync.central.records.bindings import BindingSource, Origin, bind, binding_of_card, bindings_of, was_bound_to
from sync.central.records.card_blocks import block_of_card
from sync.central.records.journeys import mark_changed
from sync.ids import new_id

SOURCE = BindingSource(Origin.IMPORT, "import")


@dataclass(frozen=True, slots=True)
class CardsOutcome:
    """The number of cards that changed, and what was left out for a reason."""

    changed: int = 0
    note: str = ""


def take_cards(context: ImportContext, patient_id: str, cards: Sequence[str]) -> CardsOutcome | RefusedRow:
    """Binds the cards to the patient."""
    changed = 0
    for number, card in enumerate(cards, 1):
        try:
            canonical = judge_tag(card)
        except ValueError as error:
            return RefusedRow(f"card {number}: {error}")
        if isinstance(canonical, RefusedCard):
            return RefusedRow(f"card {number} cannot be bound: {canonical.why}")
        bound = _bind(context, patient_id, number, context.keys.hashes(canonical))
        if isinstance(bound, RefusedRow):
            return bound
        changed += bound
    return CardsOutcome(changed)


def _bind(context: ImportContext, patient_id: str, number: int, hashes: tuple[CardHash, ...]) -> bool | RefusedRow:
    db = context.db
    holder = binding_of_card(db, hashes)
    theirs = holder is not None and holder.patient_id == patient_id
    if not theirs and was_bound_to(db, patient_id, hashes):
        return False  # The card's binding to the patient has ended since. An older document does not undo that.
    if holder is not None and not theirs:
        return RefusedRow(f"card {number} belongs to patient {holder.patient_id}")
    if block_of_card(db, hashes) is not None:
        return RefusedRow(f"card {number} is blocked: it was reported lost")
    before = bindings_of(db, patient_id)
    bind(db, patient_id, hashes, new_id(), context.now_ms, SOURCE)
    if bindings_of(db, patient_id) == before:
        return False
    mark_changed(db, patient_id)
    rejudge_card(db, judging_context(db, context.definitions, new_id, context.now_ms), hashes, SOURCE.who)
    return True
