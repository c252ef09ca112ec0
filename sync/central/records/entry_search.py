"""The search of a day's queue entries by what people type: a number, a patient's id, a name."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.central.records.entries import entry_of_row, line_order
from sync.central.records.name_search import has_words
from sync.central.records.patients import patient_named
from sync.central.store.connection import Row
from sync.central.store.transactions import ReadTransaction, any_of
from sync.journey.model import PatientId, QueueEntry
from sync.journey.queue_numbers import queue_numbers_of
from sync.text import fold

_LONGEST = 1000
_DIGITS_OF_A_NUMBER = 4


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """An entry in a list for staff, with the patient that it belongs to."""

    entry: QueueEntry
    patient_id: PatientId
    masked_name: str
    journey_state: str


@dataclass(frozen=True, slots=True)
class FoundEntries:
    """Some entries of a list, and the number of entries after them."""

    entries: list[ListedEntry]
    more: int


def find_entries(
    db: ReadTransaction,
    site_day: str,
    states: Collection[str],
    limit: int,
    *,
    exam_id: str | None = None,
    text: str | None = None,
    by_name: bool = False,
    after: str | None = None,
) -> FoundEntries | None:
    """The entries of a day in any of these states, sorted by exam, each line in its order.

    At most `limit` of them: the first ones, or those after the entry `after`. None where that one is not in the list.

    `text` is a queue number or a patient's id, and with `by_name` also the beginnings of words of a name. Case, accents
    and the forms of hyphens, apostrophes and spaces do not count. The patient of exactly that id comes first. None does
    not narrow.
    """
    names, parameters = any_of("state", states)
    exact = patient_named(db, text) if text is not None else None
    condition, wanted = ("1 = 1", {}) if text is None else meaning(text, by_name=by_name)
    # Only the entries of one day are compared, so the folded names need no index.
    rows = db.execute(
        "with listed as (select e.*, p.masked_name, j.state as journey_state, row_number() over ("  # noqa: S608
        f"order by case when e.patient_id = :exact then 0 else 1 end, e.exam_id, {line_order('e')}) as place"
        " from entries e join patients p on p.patient_id = e.patient_id join journeys j on j.patient_id = e.patient_id"
        f" where e.site_day = :site_day and e.state in {names}"
        " and (cast(:exam_id as text) is null or e.exam_id = :exam_id)"
        f" and (e.patient_id = :exact or {condition}))"
        " select *, (select count(*) from listed) as total from listed where place >="
        " (case when cast(:after as text) is null then 1 else (select place from listed where queue_id = :after) end)"
        " order by place limit :limit",
        # One more than asked for: the entry `after` itself comes first.
        {"site_day": site_day, "exam_id": exam_id, "exact": exact, "after": after, "limit": limit + 1}
        | {**parameters, **wanted},
    ).fetchall()
    if after is not None and not rows:
        return None
    shown = rows[1:] if after is not None else rows[:limit]
    last = (shown or rows)[-1]["place"] if rows else 0
    return FoundEntries([_listed(row) for row in shown], rows[0]["total"] - last if rows else 0)


def _listed(row: Row) -> ListedEntry:
    return ListedEntry(entry_of_row(row), row["patient_id"], row["masked_name"], row["journey_state"])


def meaning(text: str, *, by_name: bool, by_number: bool = True) -> tuple[str, dict[str, str]]:
    """The SQL condition that an entry `e` of a patient `p` is what a person means by a text, and its parameters.

    Without `by_number` the patient alone is compared. Digits alone are those of a queue number of any prefix.
    """
    folded = fold(text)
    # A hyphen alone names nobody. SQLite refuses a pattern of 50,000 bytes, and nobody types a thousand letters.
    if not folded or len(folded) > _LONGEST:
        return "1 = 0", {}
    terms, parameters = ["p.id_folded = :folded"], {"folded": folded}
    for place, number in enumerate(queue_numbers_of(folded) if by_number else ()):
        terms.append(f"e.queue_number = :number{place} or e.label_aliases like :alias{place}")
        parameters |= {f"number{place}": number, f"alias{place}": f'%"{number}"%'}
    if by_number and folded.isdecimal() and len(folded) <= _DIGITS_OF_A_NUMBER:  # the digits of a number alone
        terms.append("e.queue_number like :digits")
        parameters["digits"] = f"%-{int(folded):03d}"
    if by_name:
        condition, words = has_words("p.name_folded", folded)
        terms.append(condition)
        parameters |= words
    return " or ".join(terms), parameters
