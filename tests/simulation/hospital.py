"""The hospital with which every schedule begins: patients, cards, exams, bookings of two days, enrolled kiosks.

Another hospital was made of the same document, so it has the same name and the same ids.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kiosk.journey.ledger import Ledger
from kiosk.journey.this_kiosk import ThisKiosk
from kiosk.store.sqlite import Store as KioskStore
from sync.cards import CardHash, CardKey, CardKeys, canonical_card, write_keys
from sync.central.centre import Centre
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.kiosks.enrolment import NotEnrolled, enrol, new_code
from sync.central.kiosks.pull import PullService
from sync.central.maintenance.incarnation import open_incarnation
from sync.central.records.site import read_site
from sync.central.site_keys import SiteKeys
from sync.central.store.sqlite import SqliteStore
from sync.clock import ClockReading, local_ms
from sync.journey.definitions import shipped
from sync.protocol import CallRefused, Enrolment, EnrolRequest, PullRequest
from tests.sync.central.wire import read_page

ZONE = "Asia/Seoul"
DAY, TOMORROW = "2026-03-02", "2026-03-03"
OPENS_MS = local_ms(DAY, "09:00", ZONE)
KEYS = CardKeys((CardKey("k1", "11" * 32),))
EXAM_IDS = ("DESK", "X", "E", "S")
BY_BOOKING = "E"  # the exam whose line stands by the booked times
PATIENTS = ("P1", "P2", "P3", "P4", "P5", "P6")
STRANGERS = ("N1", "N2")  # cards of no patient
CARDS = (*PATIENTS, *STRANGERS)
EVERYTHING = tuple(shipped().actions_by("patient"))
ENTRANCE = ("scan_nfc", "register", "confirm_arrival")
KIOSKS = {"A": EVERYTHING, "B": EVERYTHING, "D": ENTRANCE}
OVERNIGHT, OPEN_AT_NIGHT = ("S",), ("DESK", "S")  # exams whose entries outlast the end of a day
CENTRE_FILE = "centre.db"
KEY_FILE = "centre.keys"
LIAR, LIARS_OWN = "L", ("L1", "L2")  # a kiosk that lies, and the patients who are its helpers
LIED_TO = "lied_to"  # the directory of the same hospital with that kiosk
ELSEWHERE = "elsewhere"  # the directory of the other hospital

# patient, exam, day, time of day
_BOOKED = (
    ("P1", "X", DAY, "10:00"),
    ("P1", "E", DAY, "15:00"),
    ("P2", "X", DAY, "11:00"),
    ("P3", "E", DAY, "09:30"),
    ("P3", "S", DAY, "16:00"),
    ("P4", "X", TOMORROW, "09:00"),
    ("P5", "S", DAY, "14:00"),
    ("P1", "X", TOMORROW, "10:00"),
)
_BOOKED_BY_THE_LIAR = (("L1", "X", DAY, "10:30"), ("L2", "E", DAY, "11:30"), ("L2", "X", DAY, "13:00"))


def cards_of(card: str) -> tuple[CardHash, ...]:
    """A card as its hash under the first key. A card has the name of its first holder."""
    return KEYS.hashes(canonical_card("iso14443a", _uid(card)))


def make(path: Path, overnight: Collection[str] = OVERNIGHT) -> None:
    """Writes the files of the centres and of the kiosks into a directory. The kiosks are enrolled and up to date.

    The same hospital with one more kiosk, which lies, stands in the directory `LIED_TO` there. The entries of the exams
    `overnight` outlast the end of a day.
    """
    _make_hospital(path, overnight, lied_to=False)
    (path / LIED_TO).mkdir()
    _make_hospital(path / LIED_TO, overnight, lied_to=True)


def _make_hospital(path: Path, overnight: Collection[str], *, lied_to: bool) -> None:
    definitions = shipped()
    (path / ELSEWHERE).mkdir()
    _make_centre(path / ELSEWHERE, _document(overnight)).close()
    store = _make_centre(
        path, _document(overnight, LIARS_OWN if lied_to else (), _BOOKED_BY_THE_LIAR if lied_to else ())
    )
    if lied_to:
        enrolled(store, f"kiosk-{LIAR}", LIAR, ENTRANCE, OPENS_MS)
    pulls = PullService(Centre(store, SiteKeys(path / KEY_FILE, KEYS), definitions, lambda: OPENS_MS))
    for name, actions in KIOSKS.items():
        _make_kiosk(path / f"{name}.db", enrolled(store, f"kiosk-{name}", name, actions, OPENS_MS), pulls)
    store.close()


def enrolled(
    store: SqliteStore, kiosk_id: str, prefix: str, actions: tuple[str, ...], now_ms: int, keys: CardKeys = KEYS
) -> Enrolment:
    """The centre of this database enrols a kiosk."""
    with store.write() as db:
        request = EnrolRequest(
            code=new_code(db, now_ms, actions), kiosk_id=kiosk_id, ticket_prefix=prefix, actions=actions
        )
        made = enrol(db, read_site(db), shipped(), keys, request, "127.0.0.1", now_ms)
    assert not isinstance(made, NotEnrolled)
    return made


def _make_centre(directory: Path, document: dict[str, object]) -> SqliteStore:
    store = SqliteStore(f"sqlite:///{directory / CENTRE_FILE}")
    open_incarnation(store)
    write_keys(directory / KEY_FILE, KEYS)
    keys = SiteKeys(directory / KEY_FILE, KEYS)
    with store.write() as db:
        take_hospital(db, shipped(), keys, read_hospital(document), OPENS_MS)
    return store


def _make_kiosk(path: Path, enrolment: Enrolment, pulls: PullService) -> None:
    store = KioskStore(path)
    ledger = Ledger(ThisKiosk(store, lambda: ClockReading(OPENS_MS, 0, "first", True)))
    ledger.enrol(enrolment)
    write_keys(path.with_name(f"{path.name}.keys"), enrolment.card_keys)
    page = pulls.pull(
        enrolment.kiosk_id,
        PullRequest(
            protocol_version=2,
            site_id=enrolment.site_id,
            kiosk_id=enrolment.kiosk_id,
            epoch=1,
            cursor=0,
            definitions_version=1,
        ),
    )
    assert not isinstance(page, CallRefused)
    ledger.adopt(read_page(page))
    store.close()


def _uid(card: str) -> bytes:
    return card.encode().rjust(4, b"\0")


def _document(
    overnight: Collection[str], more_patients: Sequence[str] = (), more_bookings: Sequence[tuple[str, ...]] = ()
) -> dict[str, object]:
    exams = zip(EXAM_IDS, (5, 10, 20, 30), strict=True)
    return {
        "site": {"name": "Simulated", "desk": "DESK", "ticket_prefix": "C"},
        "exams": [
            {"exam_id": e, "title": e, "public_label": e, "room": e, "minutes": minutes, "overnight": e in overnight}
            | {"order": "booking" if e == BY_BOOKING else "arrival"}
            for e, minutes in exams
        ],
        "patients": [
            {"patient_id": p, "name": f"Person {p}", "cards": [_uid(p).hex()]} for p in (*PATIENTS, *more_patients)
        ],
        "appointments": [
            {"appointment_id": f"A{number}", "patient_id": patient, "exam_id": exam, "scheduled_at": f"{day}T{at}"}
            for number, (patient, exam, day, at) in enumerate((*_BOOKED, *more_bookings))
        ],
    }
