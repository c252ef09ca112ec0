"""Finds a patient for the desk: by id, name, birth date or number, or by the same name and birth date."""

import re
from collections.abc import Sequence
from datetime import date

import msgspec

from sync.cards import canonical_tag, read_uid
from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.bindings import binding_of_card
from sync.central.records.journeys import read_journey
from sync.central.records.people import Person, find_people, people_like, read_person
from sync.central.records.site import read_site
from sync.central.services.told import Told, told_of
from sync.central.store.transactions import ReadTransaction

MOST_FOUND = 30
_DATE = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})|(\d{2})(\d{2})(\d{2})")
_CENTURIES = ("19", "20")


class FoundPerson(msgspec.Struct, frozen=True):
    """A patient whom a search found. `numbers` are the queue numbers of the live entries of today."""

    patient_id: str
    name: str
    birth_date: str | None
    journey_state: str
    numbers: tuple[str, ...]


class FoundPeople(msgspec.Struct, frozen=True):
    """The patients whom a search found. `more`: there are others, so the search is to be narrowed."""

    people: list[FoundPerson]
    more: bool


def find_person(centre: Centre, text: str) -> Told:
    """The FoundPeople whom a text means: words of a name, an id, a number of today, a birth date among them.

    Where nobody is meant so, the text may be the number of a card, as some readers type it.
    """
    words, birth_dates = _read(text)
    now_ms = centre.clock()
    with centre.store.read() as db:
        today = read_site(db).day(now_ms)
        people, more = find_people(db, words, birth_dates, today, MOST_FOUND)
        if not people and birth_dates:  # eight digits may be a hospital number
            people, more = find_people(db, text, (), today, MOST_FOUND)
        if not people and (holder := _holder(db, centre, text)) is not None:
            people = [holder]
        return _told(db, centre, today, people, more=more)


def find_doubles(centre: Centre, name: str, birth_date: str | None, patient_id: str | None) -> Told:
    """The FoundPeople who may be the person whom the desk is about to register."""
    now_ms = centre.clock()
    with centre.store.read() as db:
        today = read_site(db).day(now_ms)
        return _told(db, centre, today, people_like(db, name, birth_date, patient_id), more=False)


def _holder(db: ReadTransaction, centre: Centre, text: str) -> Person | None:
    """The holder of a card whose number a reader has typed as a keyboard does."""
    try:
        if read_uid(text.strip()) is None:
            return None
    except ValueError:  # such as "felica:" alone
        return None
    binding = binding_of_card(db, centre.keys.hashes(canonical_tag(text.strip())))
    return read_person(db, binding.patient_id) if binding else None


def _told(db: ReadTransaction, centre: Centre, today: str, people: Sequence[Person], *, more: bool) -> Told:
    found = [_found(db, centre, today, each) for each in people]
    return told_of(FoundPeople(found, more), AuditKind.LOOK_DESK, [each.patient_id for each in found])


def _found(db: ReadTransaction, centre: Centre, today: str, person: Person) -> FoundPerson:
    journey = read_journey(db, centre.definitions, person.patient_id, today)
    assert journey is not None
    numbers = tuple(each.queue_number for each in journey.entries if each.state in centre.definitions.live)
    return FoundPerson(person.patient_id, person.name, person.birth_date, journey.state, numbers)


def _read(text: str) -> tuple[str, tuple[str, ...]]:
    """The words of a text without its birth date, and the dates that the birth date may mean."""
    words: list[str] = []
    dates: tuple[str, ...] = ()
    for word in text.split():
        found = _dates(word)
        if found and not dates:
            dates = found
        else:
            words.append(word)
    return " ".join(words), dates


def _dates(word: str) -> tuple[str, ...]:
    match = _DATE.fullmatch(word)
    if match is None:
        return ()
    if match[1]:
        return tuple(filter(None, [_iso(match[1], match[2], match[3])]))
    return tuple(filter(None, [_iso(f"{century}{match[4]}", match[5], match[6]) for century in _CENTURIES]))


def _iso(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
