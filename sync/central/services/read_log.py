"""The access log, read: rows that are found, the state of its chain, and the chain itself for an auditor."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

import msgspec

from sync.central.centre import Centre
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.audit_search import PATIENT_IDS, AuditRow, AuditSearch, find_rows
from sync.central.records.log_blocks import all_open_rows, blocks_after, count_sealed, last_block, rows_of_blocks
from sync.central.records.log_check import read_log_check
from sync.central.records.patients import names_of, patient_named, patients_of_name, whole_names
from sync.central.records.person_names import names_of_doers
from sync.central.records.site import has_site, read_site
from sync.central.services.errors import ApiError
from sync.central.services.lists import MAX_ROWS, Limit
from sync.central.services.named_patients import named_patients
from sync.central.services.told import AboutNobody, Told, told_of
from sync.central.store.transactions import ReadTransaction
from sync.clock import iso, local_ms

_BLOCKS = 10  # of a portion of the chain
_UTC = "UTC"


Searched = Annotated[str, msgspec.Meta(max_length=200)]


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are looked for. What is not given does not limit the search.

    - `patient`: an id that the patient has or had, or the patient's whole name.
    - `who`: a part of the bearer's name, or of the name of the person or kiosk.
    - `kind`: the beginning of a kind, such as `look`.
    - `since`: from then on; a date, or a local time of the site such as 2026-12-01T09:30.
    - `until`: up to then; a date means its end.
    - `before`: the rows before this one.
    - `export`: the rows are taken away in a file.
    """

    patient: Searched | None = None
    who: Searched | None = None
    kind: Searched | None = None
    since: Searched | None = None
    until: Searched | None = None
    before: Searched | None = None
    limit: Limit = MAX_ROWS
    export: bool = False


class LogRow(msgspec.Struct, frozen=True):
    """A row: when and who, of which kind, about which patients, and its detail. `block` is null until it is sealed."""

    audit_id: str
    at: str
    who: str
    kind: str
    patients: tuple[str, ...]
    action_id: str | None
    detail: dict[str, Any]
    block: int | None


class LogPage(msgspec.Struct, frozen=True):
    """Rows, the oldest first. Rows older than `before` fit too; null: there are none.

    `asked` are the ids of the patient who was asked for, in the present and before. `names` are the names of those, or
    of all whom the rows name where nobody was asked for, by the ids in the rows. `doers` are the names of people and
    kiosks by `who` of the rows.
    """

    rows: tuple[LogRow, ...]
    before: str | None
    asked: tuple[str, ...]
    names: dict[str, str]
    doers: dict[str, str]


class LogState(msgspec.Struct, frozen=True):
    """The state of the chain.

    - `block`, `digest`, `sealed_at`: the last block; 0 before the first one.
    - `rows`: the rows in blocks. `open_rows`: those that no block has sealed yet.
    - `verified_at`, `verified_block`, `faults`, `first_fault`: the last verification that ran by itself.
    """

    block: int
    digest: str
    sealed_at: str | None
    rows: int
    open_rows: int
    verified_at: str | None
    verified_block: int
    faults: int
    first_fault: str


class ChainPart(msgspec.Struct, frozen=True):
    """Blocks with their columns but for `leaves`, each with its rows. `after` is where the next part begins."""

    blocks: tuple[dict[str, object], ...]
    after: int | None


def find_log(centre: Centre, query: LogQuery) -> Told | ApiError:
    """The newest rows that fit a query."""
    with centre.store.read() as db:
        timezone = _timezone(db)
        search = _search(db, query, timezone)
        if isinstance(search, ApiError):
            return search
        found = find_rows(db, search)
        # Ids sort by the machine's time at their making, and rows that count by the begin of their period.
        rows = [_shown(row, timezone) for row in sorted(reversed(found[: query.limit]), key=lambda row: row.at_ms)]
        patients = named_patients(db, [{PATIENT_IDS: row.patients} for row in rows])
        named = {patient_id for row in rows for patient_id in row.patients}
        asked = search.patient_ids
        names = whole_names(db, asked or named)
        doers = names_of_doers(db, {row.who for row in rows})
        present = (patient_named(db, each) for each in asked)
        patients = list(dict.fromkeys((*patients, *(each for each in present if each is not None))))
    before = found[query.limit - 1].audit_id if len(found) > query.limit else None
    kind = AuditKind.LOOK_EXPORT if query.export else AuditKind.LOOK_AUDIT
    return told_of(LogPage(tuple(rows), before, asked, names, doers), kind, patients)


def log_state(centre: Centre) -> AboutNobody:
    """The state of the chain."""
    with centre.store.read() as db:
        timezone, head, check = _timezone(db), last_block(db), read_log_check(db)
        return AboutNobody(
            LogState(
                head.block if head else 0,
                head.digest if head else "",
                iso(head.sealed_ms, timezone) if head else None,
                count_sealed(db),
                all_open_rows(db),
                iso(check.ended_ms, timezone) if check else None,
                check.block if check else 0,
                check.faults if check else 0,
                check.first_fault if check else "",
            )
        )


def chain_part(centre: Centre, after: int) -> Told:
    """The next blocks after a number, with their rows as they are sealed."""
    with centre.store.read() as db:
        blocks = blocks_after(db, after, _BLOCKS)
        rows = rows_of_blocks(db, after, blocks[-1].block) if blocks else {}
        patients = named_patients(db, [_patients_of(row) for each in rows.values() for row in each])
    shown = [
        {
            **{name: value for name, value in msgspec.structs.asdict(each).items() if name != "leaves"},
            "rows": rows.get(each.block, []),
        }
        for each in blocks
    ]
    part = ChainPart(tuple(shown), blocks[-1].block if blocks else None)
    return told_of(part, AuditKind.LOOK_EXPORT, patients)


def _patients_of(row: Sequence[object]) -> dict[str, object]:
    detail = msgspec.json.decode(str(row[6]))
    return {PATIENT_IDS: [row[4]] if row[4] is not None else detail.get(PATIENT_IDS, [])}


def _search(db: ReadTransaction, query: LogQuery, timezone: str) -> AuditSearch | ApiError:
    since_ms, until_ms = _at(query.since, timezone), _at(query.until, timezone, is_end=True)
    for given, read in ((query.since, since_ms), (query.until, until_ms)):
        if given and read is None:
            wanted = "is no date or time such as 2026-12-01 or 2026-12-01T09:30"
            return ApiError("malformed", f"{given[:64]} {wanted}")
    ids = _ids(db, query.patient) if query.patient else ()
    return AuditSearch(
        query.limit + 1, ids, query.who or None, query.kind or None, since_ms, until_ms, query.before or None
    )


def _ids(db: ReadTransaction, named: str) -> tuple[str, ...]:
    """The ids that a patient has and had, or those of all patients of a name. Rows may name an id that nobody has."""
    patient_id = patient_named(db, named)
    if patient_id is not None:
        return names_of(db, patient_id)
    of_name = [each for patient_id in patients_of_name(db, named.strip()) for each in names_of(db, patient_id)]
    return (named, *of_name)


def _at(given: str | None, timezone: str, *, is_end: bool = False) -> int | None:
    """UTC ms of a date, or of a local time. The end of a date, where `is_end`."""
    if not given:
        return None
    day, _, time_of_day = given.partition("T")
    try:
        if is_end and not time_of_day:
            day = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        return local_ms(day, time_of_day or "00:00", timezone)
    except (ValueError, OverflowError):
        return None


def _timezone(db: ReadTransaction) -> str:
    return read_site(db).site.timezone if has_site(db) else _UTC


def _shown(row: AuditRow, timezone: str) -> LogRow:
    at = iso(row.at_ms, timezone)
    return LogRow(row.audit_id, at, row.who, row.kind, row.patients, row.action_id, row.detail, row.block)
