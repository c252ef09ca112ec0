"""Visits as rows, and the other ids that a visit is known by."""

from collections.abc import Collection

import msgspec

from sync.central.store.connection import Row
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import (
    UNREAD,
    Order,
    Question,
    ReadTransaction,
    WriteTransaction,
    Writing,
    each_of,
)
from sync.journey.model import Journey, PatientId, VisitId

_DENIED = 0  # an opening raises the version, so no visit was opened at this one


class VisitRow(msgspec.Struct, frozen=True):
    """A visit, with its corrections by staff and its merges.

    `corrected_version` is the journey_version after the last correction by staff (0: none). `merged`: the visit is one
    of two that were under way when two records were merged. `denied`: its opening was taken back.
    """

    visit_id: VisitId
    patient_id: PatientId
    site_day: str
    corrected_version: int
    merged: bool
    denied: bool


class EarlierArrival(msgspec.Struct, frozen=True):
    """A change of a visit's time of arrival (UTC ms) to an earlier one."""

    before_ms: int
    named_ms: int


def read_visit(db: ReadTransaction, visit_id: str) -> VisitRow | None:
    """The visit that an id means, aliases resolved; None where there is none."""
    known = db.known(_VISIT, visit_id)
    if known is not UNREAD:
        return known
    row = db.row(_VISITS + _MEANT, visit_id=visit_id)
    return _visit(row) if row else None


def read_visits_ahead(
    db: SetTransaction, visit_ids: Collection[str], patient_ids: Collection[str], day: str
) -> set[str]:
    """Reads the visits that these ids mean, and which of these patients have none on a site day.

    Returns these ids, and those of the visits that they mean.
    """
    names, parameters = each_of("visit", visit_ids)
    query = f"select alias_id, visit_id from visit_aliases where alias_id in {names}"  # noqa: S608
    aliases = {row["alias_id"]: row["visit_id"] for row in db.rows(query, **parameters)}
    meant = {visit_id: visit_id for visit_id in visit_ids} | aliases
    names, parameters = each_of("visit", meant.values())
    visits = {row["visit_id"]: _visit(row) for row in db.rows(f"{_VISITS} where v.visit_id in {names}", **parameters)}
    db.read_ahead(_VISIT, {visit_id: visits.get(means) for visit_id, means in meant.items()})
    names, parameters = each_of("patient", patient_ids)
    rows = db.rows(
        f"select distinct patient_id from visits where site_day = :day and patient_id in {names}",  # noqa: S608
        day=day,
        **parameters,
    )
    came = {row["patient_id"] for row in rows}
    db.read_ahead(_WITHOUT_VISIT, {(patient_id, day): patient_id not in came for patient_id in patient_ids})
    return {*meant, *meant.values()}


def is_without_visit(db: ReadTransaction, patient_id: str, day: str) -> bool:
    """Whether it was read ahead that a patient has no visit on a site day."""
    return db.known(_WITHOUT_VISIT, (patient_id, day)) is True


def is_corrected(db: ReadTransaction, visit: VisitRow, base_version: int) -> bool:
    """Whether staff have corrected what a kiosk could know that has pulled this version of the journey."""
    if visit.corrected_version <= base_version:
        return False
    row = db.row(
        "select 1 from corrections where visit_id = :visit_id and journey_version > :base and since_version <= :base",
        visit_id=visit.visit_id,
        base=base_version,
    )
    return row is not None


def is_visit_of(db: ReadTransaction, visit_id: str, patient_id: str) -> bool:
    """Whether an id means a visit of this patient."""
    visit = read_visit(db, visit_id)
    return visit is not None and visit.patient_id == patient_id


def add_visit_alias(db: WriteTransaction, alias_id: str, visit_id: str, now_ms: int) -> bool:
    """Makes `alias_id` another id of the visit. Returns whether it was none before."""
    row = {"alias_id": alias_id, "visit_id": visit_id, "now_ms": now_ms}
    if db.known(_VISIT, alias_id) is not None:
        return db.execute(_ADD_ALIAS.sql, row).rowcount == 1
    # It was read ahead that the id means no visit, so it is no alias.
    db.learn(_VISIT, alias_id, read_visit(db, visit_id))
    db.write(_ADD_ALIAS, row)
    return True


def remove_visit_alias(db: WriteTransaction, alias_id: str) -> None:
    """Makes an id no other id of a visit."""
    db.execute("delete from visit_aliases where alias_id = :alias_id", {"alias_id": alias_id})


def add_visit(
    db: WriteTransaction,
    visit_id: str,
    patient_id: str,
    site_day: str,
    opened_ms: int,
    opened_version: int,
    closed_ms: int | None = None,
) -> None:
    """Adds a visit as the patient's last of that day. `closed_ms` is for a visit that is over already."""
    db.write(
        _ADD,
        {
            "visit_id": visit_id,
            "patient_id": patient_id,
            "site_day": site_day,
            "opened_ms": opened_ms,
            "opened_version": opened_version,
            "closed_ms": closed_ms,
        },
    )
    db.learn(_WITHOUT_VISIT, (patient_id, site_day), False)
    if db.known(_VISIT, visit_id) is None:
        is_denied = opened_version == _DENIED
        row = VisitRow(VisitId(visit_id), PatientId(patient_id), site_day, 0, merged=False, denied=is_denied)
        db.learn(_VISIT, visit_id, row)


def write_visit_change(
    db: WriteTransaction, before: Journey, after: Journey, at_ms: int, *, goes_back: bool = False
) -> None:
    """Closes the visit that a change of the journey ended, and adds the visit that it opened.

    A journey that goes back comes to an earlier visit, which is open again.
    """
    if before.visit_id == after.visit_id:
        return
    if before.visit_id is not None:
        db.write(_CLOSE, {"at_ms": at_ms, "visit_id": before.visit_id})
    if after.visit_id is not None and goes_back:
        db.execute("update visits set closed_ms = null where visit_id = :visit_id", {"visit_id": after.visit_id})
    elif after.visit_id is not None:
        add_visit(db, after.visit_id, after.patient_id, after.site_day, at_ms, after.journey_version)


def deny_visit(db: WriteTransaction, visit_id: str) -> None:
    """Makes a visit one that was never opened in truth: no opening at another kiosk counts as the same visit."""
    db.execute(
        "update visits set opened_version = :denied where visit_id = :visit_id",
        {"denied": _DENIED, "visit_id": visit_id},
    )


def set_arrival(db: WriteTransaction, visit_id: str, at_ms: int) -> None:
    """Replaces the time of arrival of a visit."""
    db.write(_SET_ARRIVAL, {"at_ms": at_ms, "visit_id": visit_id})


def set_earlier_arrival(db: WriteTransaction, visit_id: str, at_ms: int) -> EarlierArrival | None:
    """Replaces the time of arrival of a visit where the given time is earlier. Returns the change; None without one."""
    row = db.row(
        "select opened_ms from visits where visit_id = :visit_id and opened_ms > :at_ms", visit_id=visit_id, at_ms=at_ms
    )
    if row is None:
        return None
    set_arrival(db, visit_id, at_ms)
    return EarlierArrival(row["opened_ms"], at_ms)


def set_arrival_back(db: WriteTransaction, visit_id: str, change: EarlierArrival) -> None:
    """Puts a time of arrival back. A time that another kiosk has named since stays."""
    db.execute(
        "update visits set opened_ms = :before_ms where visit_id = :visit_id and opened_ms = :named_ms",
        {"visit_id": visit_id, "before_ms": change.before_ms, "named_ms": change.named_ms},
    )


def _visit(row: Row) -> VisitRow:
    return VisitRow(
        row["visit_id"],
        row["patient_id"],
        row["site_day"],
        row["corrected_version"] or 0,
        bool(row["merged"]),
        row["opened_version"] == _DENIED,
    )


_VISIT: Question[str, VisitRow | None] = Question()
_WITHOUT_VISIT: Question[tuple[str, str], bool] = Question()  # by patient and site day
_VISITS = (
    "select v.visit_id, v.patient_id, v.site_day, v.opened_version,"
    " (select max(c.journey_version) from corrections c where c.visit_id = v.visit_id) as corrected_version,"
    " (select count(*) from merged_visits m where m.visit_id = v.visit_id) as merged from visits v"
)
_MEANT = " where v.visit_id = coalesce((select visit_id from visit_aliases where alias_id = :visit_id), :visit_id)"
# The highest ordinal, not the number of rows: a merge of records leaves holes.
_ADD = Writing(
    "insert into visits (visit_id, patient_id, site_day, ordinal, opened_ms, opened_version, closed_ms)"
    " select :visit_id, :patient_id, :site_day, coalesce(max(ordinal), 0) + 1, :opened_ms, :opened_version,"
    " :closed_ms from visits where patient_id = :patient_id and site_day = :site_day",
    Order.FIRST,
)
_ADD_ALIAS = Writing(
    "insert into visit_aliases values (:alias_id, :visit_id, :now_ms) on conflict (alias_id) do nothing", Order.SECOND
)
_SET_ARRIVAL = Writing("update visits set opened_ms = :at_ms where visit_id = :visit_id", Order.CHANGES)
_CLOSE = Writing("update visits set closed_ms = :at_ms where visit_id = :visit_id", Order.CHANGES)
