"""Look-up: who holds one card that a kiosk does not know, such as that of a patient without a booking today.

Each look-up is a row of the access log, and a kiosk has a number of them a minute. So a stolen kiosk cannot ask for
card after card.
"""

from collections.abc import Collection

from sync.cards import CardHash
from sync.central.centre import Centre
from sync.central.kiosks.page import patient_row
from sync.central.kiosks.refusals import sender_of, unsupported
from sync.central.records.audit import note
from sync.central.records.bindings import binding_of_card
from sync.central.records.journeys import change_of, renumber
from sync.central.records.lookups import lookups_since, write_lookups
from sync.central.records.roster import add_guest
from sync.central.records.site import read_site
from sync.central.store.transactions import WriteTransaction
from sync.protocol import (
    MAX_CARD_KEYS,
    SUPPORTED_VERSIONS,
    CallRefused,
    EndCode,
    LookupAnswer,
    LookupRequest,
    PatientRow,
)

MOST_A_MINUTE = 20
MINUTE_MS = 60_000
LOOK = "look:card"  # the kind of the row in the access log
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
    if not _is_card(request.cards):
        return CallRefused(code=EndCode.MALFORMED, error=f"cards must hold 1 to {MAX_CARD_KEYS} hashes of one card")
    with centre.store.write() as db:
        now_ms, settings = centre.clock(), read_site(db)
        sender = sender_of(db, kiosk_id, request.kiosk_id)
        if isinstance(sender, CallRefused):
            return sender
        recent = lookups_since(db, kiosk_id, now_ms - MINUTE_MS)
        if len(recent) >= MOST_A_MINUTE:
            wait_s = max(1.0, (recent[0] + MINUTE_MS - now_ms) / 1000)
            return CallRefused(code=EndCode.TRY_LATER, error="too many look-ups; wait a minute", retry_after_s=wait_s)
        write_lookups(db, kiosk_id, (*recent, now_ms))
        patient = _holder(db, centre, request.cards, settings.day(now_ms))
        patient_id = patient.patient_id if patient else None
        note(db, kiosk_id, LOOK, now_ms, patient_id=patient_id, detail={"from": address})
        return LookupAnswer(
            server_incarnation=settings.server_incarnation, patient=patient, versions=tuple(sorted(versions))
        )


def _is_card(cards: tuple[CardHash, ...]) -> bool:
    texts = [text for card in cards for text in (card.key_id, card.uid_hash)]
    return 1 <= len(cards) <= MAX_CARD_KEYS and all(len(text) <= _MAX_TEXT for text in texts)


def _holder(db: WriteTransaction, centre: Centre, cards: tuple[CardHash, ...], today: str) -> PatientRow | None:
    binding = binding_of_card(db, cards)
    if binding is None:
        return None
    patient_id = binding.patient_id
    row = patient_row(db, centre.definitions, today, patient_id, change_of(db, patient_id))
    if row is None:
        # Pages bring the later changes of a patient on the roster alone.
        add_guest(db, patient_id, today)
        row = patient_row(db, centre.definitions, today, patient_id, renumber(db, patient_id))
    return row
