"""The words of the hospital's other system as rows: what it did, and where the rules differed."""

from collections.abc import Sequence

import msgspec

from sync.central.records.deciders import Decider
from sync.central.store.interface import Store
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import DAY_MS
from sync.journey.other_system import Difference

KEPT_DAYS = 90
_AT_ONCE = 1000
_differences = msgspec.json.Decoder(tuple[Difference, ...])


class WordRow(msgspec.Struct, frozen=True):
    """One word. `state` and `leg` are those of the journey here, before the word.

    `outcome` says what became of it. `from_state` and `to_state` are as the other system says them.
    """

    word_id: str
    patient_id: str
    action_type: str
    decider: Decider
    outcome: str
    leg: int
    state: str
    from_state: str
    to_state: str
    differences: tuple[Difference, ...]
    at_ms: int
    recorded_ms: int


class WordCount(msgspec.Struct, frozen=True):
    """How many words about an action came, how many the rules see differently, and how many began in another state."""

    words: int
    differing: int
    drifted: int


def add_word(db: WriteTransaction, row: WordRow) -> None:
    """Adds a word."""
    db.execute(
        "insert into shadow_words values (:word_id, :patient_id, :action_type, :decider, :outcome, :leg, :state,"
        " :from_state, :to_state, :differences, :at_ms, :recorded_ms)",
        {**msgspec.structs.asdict(row), "differences": msgspec.json.encode(row.differences).decode()},
    )


def last_word_ms(db: ReadTransaction, patient_id: str) -> int:
    """When the other system did the newest action on a patient that counts; 0 without one."""
    found = db.value(
        "select max(at_ms) from shadow_words where patient_id = :patient_id and outcome in ('followed', 'corrected')",
        patient_id=patient_id,
    )
    return int(found or 0)


def has_word(db: ReadTransaction, patient_id: str, action_type: str, leg: int, state: str, since_ms: int) -> bool:
    """Whether a word about an action of a patient in this leg and state has come since then, and counts."""
    found = db.row(
        "select 1 from shadow_words where patient_id = :patient_id and action_type = :action_type and leg = :leg"
        " and state = :state and recorded_ms >= :since_ms and outcome in ('followed', 'corrected')",
        patient_id=patient_id,
        action_type=action_type,
        leg=leg,
        state=state,
        since_ms=since_ms,
    )
    return found is not None


def count_words(db: ReadTransaction, action_type: str, since_ms: int) -> WordCount:
    """The words about an action in its time in the shadow, since then, but for those that came too late."""
    row = db.row(
        "select count(*), coalesce(sum(case when differences <> '[]' then 1 else 0 end), 0),"
        " coalesce(sum(case when state <> from_state then 1 else 0 end), 0)"
        " from shadow_words where action_type = :action_type and decider = 'shadow' and outcome <> 'late'"
        " and recorded_ms >= :since_ms",
        action_type=action_type,
        since_ms=since_ms,
    )
    assert row is not None
    return WordCount(*(int(each) for each in row))


def differences_of(db: ReadTransaction, action_type: str, since_ms: int) -> list[tuple[tuple[Difference, ...], int]]:
    """Each set of differences in the words about an action, since then, with the number of these words."""
    rows = db.rows(
        "select differences, count(*) as words from shadow_words where action_type = :action_type"
        " and decider = 'shadow' and differences <> '[]' and recorded_ms >= :since_ms group by differences",
        action_type=action_type,
        since_ms=since_ms,
    )
    return [(_differences.decode(row["differences"]), row["words"]) for row in rows]


def differing_words(db: ReadTransaction, action_type: str, since_ms: int, limit: int) -> Sequence[WordRow]:
    """The newest words about an action that the rules see differently, since then."""
    rows = db.rows(
        "select * from shadow_words where action_type = :action_type and decider = 'shadow' and differences <> '[]'"
        " and recorded_ms >= :since_ms order by recorded_ms desc, word_id desc limit :limit",
        action_type=action_type,
        since_ms=since_ms,
        limit=limit,
    )
    return [
        msgspec.convert({**dict(row), "differences": _differences.decode(row["differences"])}, WordRow) for row in rows
    ]


def delete_old_words(store: Store, now_ms: int) -> None:
    """Deletes words older than `KEPT_DAYS`, a thousand a transaction."""
    while True:
        with store.write() as db:
            rows = db.execute(
                "delete from shadow_words where word_id in (select word_id from shadow_words"
                " where recorded_ms < :until_ms order by recorded_ms limit :at_once)",
                {"until_ms": now_ms - KEPT_DAYS * DAY_MS, "at_once": _AT_ONCE},
            ).rowcount
        if rows < _AT_ONCE:
            return
