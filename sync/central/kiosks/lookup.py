"""Look-up: who holds one card that a kiosk does not know, such as that of a patient without a booking today.

Each look-up is a row of the access log, and a kiosk has a number of them a minute. So a stolen kiosk cannot ask for
card after card.
"""

from collections.abc import Collection

import msgspec

from sync.cards import CardHash
from sync.central.centre import Centre
from sync.central.kiosks.refusals import of_other_site, sender_of, unsupported
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import binding_of_card
from sync.central.records.journeys import change_of, renumber
from sync.central.records.lookups import lookups_since, write_lookups
from sync.central.records.roster import add_guest
from sync.central.records.roster_rows import roster_rows
from sync.central.records.site import read_site
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.protocol import (
    SUPPORTED_VERSIONS,
    BindingRow,
    CallRefused,
    EndCode,
    LookupAnswer,
    LookupRequest,
    PatientRow,
)

MOST_A_MINUTE = 20
MINUTE_MS = 60_000
_MAX_TEXT = 128


def look_up(
    centre: Centre,
    kiosk_id: str,
    request: LookupRequest,
    address: str | None = None,
    versions: Collection[int] = SUPPORTED_VERSIONS,
) -> LookupAnswer | CallRefused:
    """The holder of the card of a request. `kiosk_id` is the kiosk of the token, `address` its network address.

    A patient who was found is on the roster for the rest of the day.
    """
    if request.protocol_version not in versions:
        return unsupported(versions)
    if not _is_card(request.card):
        return CallRefused(code=EndCode.MALFORMED, error="card must be the hash of a card")
    with centre.store.write(brief=True) as db:
        refused = of_other_site(db, request.site_id)
        if refused is not None:
            return refused
        now_ms, settings = centre.clock(), read_site(db)
        sender = sender_of(db, kiosk_id, request.kiosk_id)
        if isinstance(sender, CallRefused):
            return sender
        recent = lookups_since(db, kiosk_id, now_ms - MINUTE_MS)
        if len(recent) >= MOST_A_MINUTE:
            wait_s = max(1.0, (recent[0] + MINUTE_MS - now_ms) / 1000)
            return CallRefused(code=EndCode.TRY_LATER, error="too many look-ups; wait a minute", retry_after_s=wait_s)
        write_lookups(db, kiosk_id, (*recent, now_ms))
        patient = _holder(db, centre, request.card, settings.day(now_ms))
        patient_id = patient.patient_id if patient else None
        note(db, kiosk_id, AuditKind.LOOK_CARD, now_ms, patient_id=patient_id, detail={"from": address})
        return LookupAnswer(
            site_id=settings.site_id,
            server_incarnation=settings.server_incarnation,
            patient=patient,
            versions=tuple(sorted(versions)),
        )


def _is_card(card: CardHash) -> bool:
    return len(card.key_id) <= _MAX_TEXT and len(card.uid_hash) <= _MAX_TEXT


def _holder(db: WriteTransaction, centre: Centre, card: CardHash, today: str) -> PatientRow | None:
    binding = binding_of_card(db, (centre.keys.lift(card),))
    if binding is None:
        return None
    row = _row(db, centre, today, change_of(db, binding.patient_id))
    if row is None:
        # Pages bring the later changes of a patient on the roster alone.
        add_guest(db, binding.patient_id, today)
        row = _row(db, centre, today, renumber(db, binding.patient_id))
    return row and _naming(row, BindingRow(binding.binding_id, card.key_id, card.uid_hash))


def _row(db: ReadTransaction, centre: Centre, today: str, change: int) -> PatientRow | None:
    """The row of the patient who has this change number; None for one who is on no roster, and for the number 0."""
    found = roster_rows(db, centre.definitions, today, change - 1, change) if change else ()
    return found[0].row if found else None


def _naming(row: PatientRow, asked: BindingRow) -> PatientRow:
    """The row with the card as the kiosk asked for it: the kiosk may not have the newest key yet."""
    return row if asked in row.bindings else msgspec.structs.replace(row, bindings=(*row.bindings, asked))
