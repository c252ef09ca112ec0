"""Binds a card to a patient, for staff."""

from typing import Any

from sync.cards import CardHash, CardKeys, canonical_tag
from sync.central.centre import Centre
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import rejudge_card
from sync.central.records.audit import note
from sync.central.records.bindings import bind, binding_of_card
from sync.central.records.journeys import mark_changed
from sync.central.records.patients import patient_named
from sync.central.services.errors import UNKNOWN_PATIENT, ApiError


def bind_card(centre: Centre, who: str, named: str, cards: tuple[CardHash, ...]) -> dict[str, Any] | ApiError:
    """Binds a card to the patient that an id names, and re-judges the actions that waited for that card.

    Returns {binding_id, patient_id}. Another patient's binding of the card ends.
    """
    now_ms = centre.clock()
    with centre.store.write() as db:
        patient_id = patient_named(db, named)
        if patient_id is None:
            return UNKNOWN_PATIENT
        before = binding_of_card(db, cards)
        binding_id = bind(db, patient_id, cards, centre.ids(), now_ms)
        for holder in {patient_id, before.patient_id if before else patient_id}:
            mark_changed(db, holder)
        rejudge_card(db, judging_context(db, centre.definitions, centre.ids, now_ms), cards, who)
        note(db, who, "bind", now_ms, patient_id=patient_id, detail={"binding_id": binding_id})
    return {"binding_id": binding_id, "patient_id": patient_id}


def read_card(keys: CardKeys, tag_id: object) -> tuple[CardHash, ...] | ApiError:
    """The hashes of a card in any spelling of its id, or the error."""
    if not isinstance(tag_id, str):
        return ApiError("malformed", "tag_id must be a text.")
    try:
        return keys.hashes(canonical_tag(tag_id))
    except ValueError as error:
        return ApiError("malformed", f"{error}.")
