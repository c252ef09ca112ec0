"""The demo hospital: made in an empty database, and completed for today in its own."""

from dataclasses import asdict, dataclass
from typing import Any

from sync.central.centre import Centre
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.operations import TellingOperation
from sync.central.records.appointments import bookings
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.patients import name_and_language, patient_named
from sync.central.records.site import has_site, is_demo, read_site, set_demo
from sync.central.services.demo_hospital import demo_cards, demo_hospital
from sync.central.services.requester import Requester
from sync.central.services.told import Telling, told_of
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import day_after, site_day
from sync.control import ControlError

_REAL = (
    "this database holds a hospital that demo-data has not made. The demo would change its exams, and add patients"
    " whose cards everybody knows. Give the demo a database of its own: --database"
)


@dataclass(frozen=True, slots=True)
class DemoPatient:
    """A patient of the demo hospital, with the UID of the card and the number of today's bookings."""

    patient_id: str
    uid: str
    masked_name: str
    language: str
    booked: int


def demo_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operation on the demo hospital, by name."""
    return {"demo-data": lambda _: _demo_data(centre, operator)}


def _demo_data(centre: Centre, operator: Requester) -> Telling:
    """Makes or completes the demo hospital for today, and lists its patients with their cards."""
    now_ms = centre.clock()
    with centre.store.write() as db:
        hospital = read_hospital(_document(db, now_ms))
        counts = take_hospital(db, centre.definitions, centre.keys, hospital, now_ms)
        set_demo(db, is_demo=True)
        made = {"patients": counts.patients, "appointments": counts.appointments}
        note(db, operator.who, AuditKind.DEMO_DATA, now_ms, detail=made)
        today = read_site(db).day(now_ms)
        listed = [_patient(db, today, patient_id, uid) for patient_id, uid in demo_cards().items()]
    return told_of([asdict(each) for each in listed], AuditKind.LOOK_DEMO, [each.patient_id for each in listed])


def _document(db: WriteTransaction, now_ms: int) -> dict[str, Any]:
    if not has_site(db):
        return demo_hospital(site_day(now_ms, "Asia/Seoul", "04:00"))
    if not is_demo(db):
        raise ControlError(_REAL)
    # The site keeps the operator's settings, and its own day counts.
    return {**demo_hospital(read_site(db).day(now_ms)), "site": None}


def _patient(db: ReadTransaction, today: str, patient_id: str, uid: str) -> DemoPatient:
    named = patient_named(db, patient_id)
    assert named is not None
    masked_name, language = name_and_language(db, named)
    return DemoPatient(patient_id, uid, masked_name, language, len(bookings(db, named, today, day_after(today))))
