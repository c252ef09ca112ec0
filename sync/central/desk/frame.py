"""What the page of the card desk needs besides patients: exams, languages, kiosks, and the day."""

import msgspec

from sync.central.centre import Centre
from sync.central.desk.next_card import is_away
from sync.central.records.desk_cards import awaited_cards, desk_readers
from sync.central.records.exams import all_exams
from sync.central.records.kiosks import kiosks
from sync.central.records.site import read_site
from sync.central.services.told import AboutNobody
from sync.clock import iso


class DeskExam(msgspec.Struct, frozen=True):
    """An exam, for a booking or a walk-in. `is_desk`: it is the place for patients without a booking."""

    exam_id: str
    title: str
    room: str
    is_desk: bool


class DeskKiosk(msgspec.Struct, frozen=True):
    """A kiosk at which a card can be held. `away`: it has not called the centre for minutes.

    `is_reader`: all its cards are for the desk. `taken`: somebody awaits a card there now.
    """

    kiosk_id: str
    name: str
    away: bool
    is_reader: bool
    taken: bool


class DeskFrame(msgspec.Struct, frozen=True):
    """The exams, the languages of the site, the kiosks, the day of the site, and the time."""

    exams: list[DeskExam]
    languages: tuple[str, ...]
    kiosks: list[DeskKiosk]
    today: str
    timestamp: str


def read_frame(centre: Centre) -> AboutNobody:
    """The DeskFrame of now."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        site = read_site(db)
        readers, awaited = desk_readers(db, now_ms), awaited_cards(db, now_ms)
        exams = sorted(all_exams(db).values(), key=lambda each: (each.title, each.exam_id))
        desk = site.site.walk_in.exam_id
        return AboutNobody(
            DeskFrame(
                [DeskExam(each.exam_id, each.title, each.room, each.exam_id == desk) for each in exams],
                site.site.languages,
                [
                    DeskKiosk(
                        each.kiosk_id,
                        each.name,
                        is_away(each, now_ms),
                        each.kiosk_id in readers,
                        each.kiosk_id in awaited,
                    )
                    for each in kiosks(db)
                    if each.revoked_ms is None
                ],
                site.day(now_ms),
                iso(now_ms, site.site.timezone),
            )
        )
