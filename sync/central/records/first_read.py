"""What an action reads first, in one query: site, answer to an earlier action of its id, patient and card."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from sync.cards import CardHash
from sync.central.records.appointments import BOOKINGS, booking_of_part
from sync.central.records.bindings import HOLDERS, binding_of_card
from sync.central.records.card_blocks import BLOCKS, block_of_card
from sync.central.records.entries import ENTRIES, entry_of_part
from sync.central.records.idempotency import ANSWERS, StoredAnswer
from sync.central.records.journeys import JOURNEYS, day_of_part, journey_of_part
from sync.central.records.parts import Rows, by_kind, read_parts
from sync.central.records.queue_numbers import USED_NUMBERS, name_of_numbers
from sync.central.records.site import SITE, SITE_SOURCE, SiteSettings, site_of
from sync.central.records.tokens import BEARERS, VALID_BEARERS, Bearer, bearer_of_part
from sync.central.store.transactions import ReadTransaction
from sync.clock import DAY_MS
from sync.journey.bookings import place_of_booking
from sync.journey.model import Appointment, Journey, PatientId
from sync.text import clean


class By(StrEnum):
    """How a request names its patient."""

    NOTHING = "nothing"
    NAME = "name"  # by the patient's id, or an alias of it
    ENTRY = "entry"  # by the id of a queue entry
    PRESS = "press"  # by the action id of a press on an entry
    CARD = "card"  # by the card alone


class Wanted(msgspec.Struct, frozen=True):
    """What an action needs to know, by its request.

    `name` is the id of a patient, of a queue entry or of a press, as `by` says. `cards` are the hashes under which the
    card of the request is stored now. `takes_number`: the action may open a queue entry. `token_hash` is that of the
    sender's token, where the action itself has to confirm it.
    """

    action_id: str
    by: By = By.NOTHING
    name: str = ""
    cards: tuple[CardHash, ...] = ()
    takes_number: bool = False
    token_hash: str = ""


class FirstRead(msgspec.Struct, frozen=True):
    """What the database said before the action.

    `stored` is the patient's journey as it was last written, with the bookings of its day; None where the request names
    no patient, or an unknown one. `later` are the patient's bookings after that day, each with its day. `holder` is the
    patient to whom the card is bound. `used_numbers` are the queue numbers given under the site's prefix, by day.
    `bearer` is that of the token, where it is valid.
    """

    site: SiteSettings
    answer: StoredAnswer | None
    stored: Journey | None
    later: Sequence[tuple[str, Appointment]]
    holder: PatientId | None
    is_blocked: bool
    used_numbers: Mapping[str, int]
    bearer: Bearer | None

    @property
    def patient_id(self) -> PatientId | None:
        """The patient whom the request names."""
        return self.stored.patient_id if self.stored else None

    def bookings_of(self, day: str) -> tuple[Appointment, ...]:
        """The patient's bookings of a day after that of the stored journey, in order of time."""
        return tuple(booking for its_day, booking in self.later if its_day == day)

    def stored_until(self, today: str) -> Journey | None:
        """The stored journey with all bookings before today, for the end of its day to end them."""
        since = tuple(booking for day, booking in self.later if day < today)
        if self.stored is None or not since:
            return self.stored
        return replace(self.stored, appointments=(*self.stored.appointments, *since))


def first_read(db: ReadTransaction, wanted: Wanted, now_ms: int) -> FirstRead:
    """Reads what an action needs. Raises NoSite before a hospital was imported."""
    if len(wanted.cards) > 1:
        return _first_read_in_rotation(db, wanted, now_ms)
    rows = _rows(db, wanted, now_ms)
    booked = sorted(map(booking_of_part, rows["booking"]), key=lambda each: place_of_booking(each[1]))
    stored = _stored(rows, booked) if rows["journey"] else None
    return FirstRead(
        site_of(rows["site"]),
        next((StoredAnswer(*values) for values in rows["answer"]), None),
        stored,
        [each for each in booked if stored is not None and each[0] > stored.site_day],
        next((PatientId(patient_id) for (patient_id,) in rows["holder"]), None),
        bool(rows["block"]),
        dict(rows["number"]),
        next((bearer_of_part(values, wanted.token_hash) for values in rows["bearer"]), None),
    )


def _first_read_in_rotation(db: ReadTransaction, wanted: Wanted, now_ms: int) -> FirstRead:
    """While the card keys rotate, a card has several hashes, and is looked up by itself."""
    binding, is_blocked = binding_of_card(db, wanted.cards), block_of_card(db, wanted.cards) is not None
    holder = binding.patient_id if binding else None
    if wanted.by is By.CARD:
        wanted = replace(wanted, by=By.NAME if holder else By.NOTHING, name=holder or "")
    return replace(first_read(db, replace(wanted, cards=()), now_ms), holder=holder, is_blocked=is_blocked)


def _stored(rows: Rows, booked: Sequence[tuple[str, Appointment]]) -> Journey:
    values = rows["journey"][0]
    day = day_of_part(values)
    entries = sorted(map(entry_of_part, rows["entry"]), key=lambda entry: (entry.opened_ms, entry.queue_id))
    bookings = tuple(booking for its_day, booking in booked if its_day == day)
    return journey_of_part(values, tuple(entries), bookings)


def _rows(db: ReadTransaction, wanted: Wanted, now_ms: int) -> Rows:
    first_day, last_day = _days_around(now_ms // DAY_MS)
    parameters = {
        "action_id": wanted.action_id,
        "name": _cleaned(wanted.name),
        "key_id": wanted.cards[0].key_id if wanted.cards else "",
        "uid_hash": wanted.cards[0].uid_hash if wanted.cards else "",
        "first_day": first_day,
        "last_day": last_day,
        "token_hash": wanted.token_hash,
        "now_ms": now_ms,
    }
    optional = (bool(wanted.cards), wanted.takes_number, bool(wanted.token_hash))
    query = _query(wanted.by, *optional)
    return read_parts(db, query, _PARTS, parameters)


def _cleaned(name: str) -> str:
    """A name as an import cleans it. People type ids. One that holds what nobody sees is nobody's."""
    try:
        return clean(name)
    except ValueError:
        return ""


@lru_cache(maxsize=4)
def _days_around(day_number: int) -> tuple[str, str]:
    """Days before and after every day that a site may have now: its clock is up to 14 hours beside UTC, and its days
    begin up to a day later. Then comes the day after it.
    """
    day = datetime.fromtimestamp(day_number * DAY_MS / 1000, UTC).date()
    return (day - timedelta(days=2)).isoformat(), (day + timedelta(days=2)).isoformat()


_PARTS = by_kind(SITE, ANSWERS, JOURNEYS, ENTRIES, BOOKINGS, HOLDERS, BLOCKS, USED_NUMBERS, BEARERS)
_OF_THE_CARD = "where h.key_id = :key_id and h.uid_hash = :uid_hash and b.end_ms is null"
_HOLDER_SOURCE = f"from binding_hashes h join bindings b on b.binding_id = h.binding_id {_OF_THE_CARD}"
_SUBJECTS = {
    By.NAME: "coalesce((select patient_id from patients where patient_id = :name),"
    " (select patient_id from patient_aliases where alias_id = :name))",
    By.ENTRY: "(select patient_id from entries where queue_id = :name)",
    By.PRESS: "(select patient_id from presses where action_id = :name)",
    By.CARD: f"(select b.patient_id {_HOLDER_SOURCE} limit 1)",
}


@lru_cache(maxsize=32)
def _query(by: By, with_card: bool, with_numbers: bool, with_token: bool) -> str:
    queries = [SITE.of(SITE_SOURCE), ANSWERS.of("from actions where action_id = :action_id")]
    if by in _SUBJECTS:
        is_subject = f"where j.patient_id = {_SUBJECTS[by]}"
        entries = "join entries e on e.patient_id = j.patient_id and e.site_day = j.site_day"
        bookings = (
            "join appointments a on a.patient_id = j.patient_id and a.site_day >= j.site_day"
            " and a.site_day <= :last_day join exams x on x.exam_id = a.exam_id"
        )
        queries.append(JOURNEYS.of(f"from journeys j {is_subject}"))
        queries.append(ENTRIES.of(f"from journeys j {entries} {is_subject}"))
        queries.append(BOOKINGS.of(f"from journeys j {bookings} {is_subject}"))
    if with_card:
        blocks = "from blocked_hashes h join card_blocks b on b.block_id = h.block_id"
        queries += [HOLDERS.of(_HOLDER_SOURCE), BLOCKS.of(f"{blocks} {_OF_THE_CARD}")]
    if with_numbers:
        numbers = f"from site s join counters n on n.name = {name_of_numbers('s.ticket_prefix')}"
        queries.append(USED_NUMBERS.of(f"{numbers} where n.site_day >= :first_day and n.site_day <= :last_day"))
    if with_token:
        queries.append(VALID_BEARERS)
    return " union all ".join(queries)
