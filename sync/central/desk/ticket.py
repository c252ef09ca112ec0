"""A copy of a queue ticket: the number that the patient has already, and where there is one, a code for the visit."""

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.entries import patient_of_entry
from sync.central.records.journeys import read_journey
from sync.central.records.patients import name_and_language
from sync.central.records.site import read_site
from sync.central.records.visit_tokens import open_visit
from sync.central.records.web_settings import read_web_settings
from sync.central.services.current_state import estimated_wait, people_before
from sync.central.services.errors import ApiError
from sync.central.services.requester import Requester
from sync.central.services.told import Told
from sync.central.store.transactions import WriteTransaction
from sync.clock import iso
from sync.journey.model import Journey, QueueEntry
from sync.visit_code import VisitCode, draw_visit_code
from sync.visit_secret import hash_of_secret, make_secret

_NO_ENTRY = ApiError("not_found", "There is no such entry of today.")
_OVER = ApiError("not_allowed", "The patient waits no more on this entry, so its number has no ticket.")


class TicketCopy(msgspec.Struct, frozen=True):
    """A copy of a ticket. `exam_name` is the exam's public label, and the name is masked: a hall may see a ticket.

    `code` opens the visit to a telephone; null where the site shows no such codes, or the patient is on no visit.
    """

    hospital: str
    queue_number: str
    label_aliases: tuple[str, ...]
    exam_name: str
    room: str
    masked_name: str
    language: str
    people_ahead: int
    estimated_wait_time: int
    opened_at: str
    printed_at: str
    code: VisitCode | None


def copy_ticket(centre: Centre, requester: Requester, queue_id: str) -> Told | ApiError:
    """A TicketCopy of a live entry of today. Each copy has a code of its own, and no number is given twice."""
    now_ms = centre.clock()
    with centre.store.write(brief=True) as db:
        site = read_site(db)
        found = patient_of_entry(db, queue_id)
        journey = read_journey(db, centre.definitions, found, site.day(now_ms)) if found else None
        entry = next((each for each in journey.entries if each.queue_id == queue_id), None) if journey else None
        if journey is None or entry is None:
            return _NO_ENTRY
        if entry.state not in centre.definitions.live:
            return _OVER
        secret = _new_code(db, centre, journey, entry, now_ms)
        detail = {"queue_id": queue_id, "code": bool(secret)}
        kind, patient_id = AuditKind.COPY_TICKET, journey.patient_id
        db.asked_from = requester.address
        note(db, requester.who, kind, now_ms, patient_id=patient_id, detail=detail)
        ahead = people_before(db, centre.definitions, journey.site_day, entry)
        masked_name, language = name_and_language(db, patient_id)
        public_url, zone = read_web_settings(db).public_url, site.site.timezone
    ticket = TicketCopy(
        site.site.name,
        entry.queue_number,
        entry.label_aliases,
        entry.exam_name,
        entry.room,
        masked_name,
        language,
        ahead,
        estimated_wait(entry, ahead),
        iso(entry.opened_ms, zone),
        iso(now_ms, zone),
        draw_visit_code(public_url, secret) if secret else None,
    )
    return Told(ticket, AuditKind.LOOK_DESK, (patient_id,))


def _new_code(db: WriteTransaction, centre: Centre, journey: Journey, entry: QueueEntry, now_ms: int) -> str:
    """The secret of a code that opens the visit; empty where there is none to be had."""
    is_on_visit = journey.visit_id is not None and entry.queue_id == journey.current_queue_id
    if not is_on_visit or not read_web_settings(db).public_url or journey.visit_id is None:
        return ""
    secret = make_secret()
    open_visit(db, hash_of_secret(secret), centre.ids(), journey.patient_id, journey.visit_id, now_ms)
    return secret
