"""Takes the cards of a patient's row: all cards that the hospital's system knows of this patient.

Staff's acts come first. A card that staff bound or took away stays as staff left it, whatever a document says. The
bindings of earlier documents follow the newest one: a card moves to another patient where the other patient's row gives
it up, and a card that its patient's row leaves out ends.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sync.cards import CardHash, RefusedCard, canonical_tag, is_card, judge_at_site, judge_tag
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.imports.announce import announce
from sync.central.imports.context import ImportContext
from sync.central.imports.outcomes import HeldCards, RefusedRow
from sync.central.records.bindings import (
    BindingOrigin,
    BindingSource,
    CardBinding,
    bind,
    binding_of_card,
    binding_records,
    end_binding,
    hashes_of_binding,
    read_binding,
    was_taken_from,
)
from sync.central.records.card_blocks import block_of_card
from sync.central.records.patients import is_merged
from sync.central.records.waiting import is_awaited
from sync.journey.model import PatientId

SOURCE = BindingSource(BindingOrigin.IMPORT, "import")

Moves = Mapping[str, Collection[int]]
NO_MOVES: Moves = {}


@dataclass(frozen=True, slots=True)
class CardsOutcome:
    """The number of cards that were bound, moved or ended, and what was left out for a reason.

    `omits`: the patient holds cards by earlier documents that this row leaves out.
    """

    changed: int = 0
    note: str = ""
    omits: bool = False


@dataclass(slots=True)
class _Taken:
    changed: int = 0
    notes: list[str] = field(default_factory=list)
    held: dict[int, PatientId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _NamedCard:
    """A card of a row: its number in the row from 1 on, its text, and the hashes under which it is stored."""

    number: int
    text: str = field(repr=False)
    hashes: tuple[CardHash, ...]


def take_cards(
    context: ImportContext, patient_id: str, cards: Sequence[str], moves: Moves = NO_MOVES, *, last: bool = False
) -> CardsOutcome | HeldCards | RefusedRow:
    """Binds the cards of a row to the patient. Where that fails, the caller undoes what was written.

    `moves` are the cards, by their numbers in the row from 1 on, that each holder gives up by the same document. With
    `last` the whole document is in, and the cards that the row leaves out end.
    """
    hashed = _hashed(context, cards)
    if isinstance(hashed, RefusedRow):
        return hashed
    taken = _Taken()
    for number, hashes in enumerate(hashed, 1):
        refused = _take(context, patient_id, _NamedCard(number, cards[number - 1], hashes), moves, taken)
        if refused:
            return refused
    if taken.held:
        return HeldCards(taken.held)
    omitted = _omitted(context, patient_id, hashed)
    if last:
        for binding_id in omitted:
            end_binding(context.db, binding_id, context.now_ms, SOURCE.who, "the hospital's document leaves it out")
        taken.changed += len(omitted)
    if taken.changed:
        announce(context, patient_id)
    return CardsOutcome(taken.changed, "; ".join(taken.notes), omits=bool(omitted) and not last)


def _hashed(context: ImportContext, cards: Sequence[str]) -> list[tuple[CardHash, ...]] | RefusedRow:
    hashed = []
    for number, card in enumerate(cards, 1):
        try:
            canonical = judge_tag(card)
        except ValueError as error:
            return RefusedRow(f"card {number}: {error}")
        if isinstance(canonical, RefusedCard):
            return RefusedRow(f"card {number} cannot be bound: {canonical.why}")
        if not is_card(canonical):
            return RefusedRow(f"card {number} is no id of a card: it is written in hex, such as 04A1B2C3D4E501")
        hashed.append(context.keys.hashes(canonical))
    return hashed


def _take(context: ImportContext, patient_id: str, card: _NamedCard, moves: Moves, taken: _Taken) -> RefusedRow | None:
    """Takes one card into `taken`, or says why the row is refused."""
    db, number, hashes = context.db, card.number, card.hashes
    unaccepted = judge_at_site(canonical_tag(card.text), refuses_short_uids=context.site.site.refuse_short_uids)
    holder = binding_of_card(db, hashes)
    if holder is not None and holder.patient_id == patient_id:
        return None
    if was_taken_from(db, patient_id, hashes, by_others_than=SOURCE.who):
        taken.notes.append(f"card {number} stays as staff left it: they ended its binding to this patient")
    elif block_of_card(db, hashes) is not None:
        return RefusedRow(f"card {number} is blocked: it was reported lost")
    elif holder is not None and _is_of_staff(context, holder):
        return RefusedRow(f"card {number} belongs to patient {holder.patient_id}: staff bound it", holder.patient_id)
    elif holder is not None and number not in moves.get(holder.patient_id, ()):
        taken.held[number] = holder.patient_id
    elif unaccepted is not None:
        return RefusedRow(f"card {number} cannot be bound: {unaccepted.why}")
    else:
        _bind(context, patient_id, hashes, holder)
        taken.changed += 1
    return None


def _is_of_staff(context: ImportContext, holder: CardBinding) -> bool:
    record = read_binding(context.db, holder.binding_id)
    return record is not None and record.source.origin is not BindingOrigin.IMPORT


def _bind(context: ImportContext, patient_id: str, hashes: tuple[CardHash, ...], holder: CardBinding | None) -> None:
    db = context.db
    bind(db, patient_id, hashes, context.ids(), context.now_ms, SOURCE)
    if holder is not None:
        announce(context, holder.patient_id)
    if is_awaited(db, hashes):
        rejudge_card(db, judging_context(db, context.definitions, context.ids, context.now_ms), hashes, SOURCE.who)


def _omitted(context: ImportContext, patient_id: str, hashed: Sequence[tuple[CardHash, ...]]) -> list[str]:
    """The bindings of earlier documents to cards that the row leaves out.

    There are none where the record of another patient was merged into this one: then no row lists all cards.
    """
    named = {each for hashes in hashed for each in hashes}
    omitted = [
        record.binding_id
        for record in binding_records(context.db, patient_id)
        if record.end_ms is None
        and record.source.origin is BindingOrigin.IMPORT
        and not named & set(hashes_of_binding(context.db, record.binding_id))
    ]
    return [] if omitted and is_merged(context.db, patient_id) else list(omitted)
