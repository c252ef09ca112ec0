"""Actions that wait for staff as rows, each whole, with the hashes of its card."""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from sync.cards import CardHash
from sync.central.records.told_seqs import Window
from sync.central.store.connection import Row
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import (
    UNREAD,
    Order,
    Question,
    ReadTransaction,
    WriteTransaction,
    Writing,
    any_of,
    each_of,
)
from sync.clock import ClockReading
from sync.protocol import Code, Intent, canonical

_intent = msgspec.json.Decoder(Intent)
_clock = msgspec.json.Decoder(ClockReading)


class WaitingAction(msgspec.Struct, frozen=True):
    """An action that waits for staff in a case, because of `code`.

    `visit_id` is the visit of the action, aliases resolved. `sent` is the kiosk's clocks when it sent the action.
    `window` is the time in which it happened.
    """

    verdict_id: str
    exception_id: str
    kiosk_id: str
    seq: int
    visit_id: str
    code: Code
    intent: Intent
    sent: ClockReading
    received_ms: int
    window: Window


def add_waiting(db: WriteTransaction, waiting: WaitingAction) -> None:
    """Stores an action whole in its case."""
    db.write(
        _ADD,
        {
            "verdict_id": waiting.verdict_id,
            "exception_id": waiting.exception_id,
            "kiosk_id": waiting.kiosk_id,
            "seq": waiting.seq,
            "visit_id": waiting.visit_id,
            "code": waiting.code.value,
            "intent": canonical(waiting.intent).decode(),
            "sent_clock": msgspec.json.encode(waiting.sent).decode(),
            "received_ms": waiting.received_ms,
            "earliest_ms": waiting.window.earliest_ms,
            "latest_ms": waiting.window.latest_ms,
        },
    )
    card = waiting.intent.card
    if card is not None:
        row = {"key_id": card.key_id, "uid_hash": card.uid_hash, "verdict_id": waiting.verdict_id}
        db.write(_ADD_CARD, row)
    place = (waiting.visit_id, waiting.kiosk_id)
    known = db.known(_WAITING, place)
    if known is not UNREAD:
        db.learn(_WAITING, place, (*known, waiting.verdict_id))


def actions_waiting_in(db: ReadTransaction, visit_ids: Collection[str], kiosk_id: str) -> list[str]:
    """The ids of the actions of a kiosk that wait in any of these visits.

    No other kiosk has built on them, since an action that waits has moved no journey.
    """
    known: list[str] | None = []
    for visit_id in visit_ids:
        found = db.known(_WAITING, (visit_id, kiosk_id))
        known = None if found is UNREAD or known is None else [*known, *found]
    if known is not None:
        return known
    names, parameters = any_of("visit", visit_ids)
    query = f"select verdict_id from waiting where visit_id in {names} and {_SENT}"  # noqa: S608
    return [row["verdict_id"] for row in db.rows(query, **parameters, kiosk_id=kiosk_id)]


def read_waiting_ahead(db: SetTransaction, visit_ids: Collection[str], kiosk_id: str) -> None:
    """Reads the actions of a kiosk that wait in each of these visits."""
    names, parameters = each_of("visit", visit_ids)
    query = f"select visit_id, verdict_id from waiting where visit_id in {names} and {_SENT}"  # noqa: S608
    found: dict[tuple[str, str], tuple[str, ...]] = {(visit_id, kiosk_id): () for visit_id in visit_ids}
    for row in db.rows(query, **parameters, kiosk_id=kiosk_id):
        found[(row["visit_id"], kiosk_id)] += (row["verdict_id"],)
    db.read_ahead(_WAITING, found)


def note_sent_again(db: WriteTransaction) -> None:
    """Notes that a receipt was written for an action that may wait: it is now one of that kiosk too."""
    db.unlearn(_WAITING)


def is_awaited(db: ReadTransaction, cards: Sequence[CardHash]) -> bool:
    """Whether any action that was made with this card waits for staff."""
    return any(
        db.row(
            "select 1 from waiting_cards where key_id = :key_id and uid_hash = :uid_hash",
            key_id=card.key_id,
            uid_hash=card.uid_hash,
        )
        for card in cards
    )


def waiting_for_card(db: ReadTransaction, cards: Sequence[CardHash], code: Code) -> list[WaitingAction]:
    """The actions of every visit in which an action with this card waits because of `code`, in the order of receipt."""
    visits: dict[str, None] = {}
    for card in cards:
        rows = db.rows(
            "select w.visit_id from waiting_cards c join waiting w on w.verdict_id = c.verdict_id"
            " where c.key_id = :key_id and c.uid_hash = :uid_hash and w.code = :code",
            key_id=card.key_id,
            uid_hash=card.uid_hash,
            code=code.value,
        )
        visits.update(dict.fromkeys(row["visit_id"] for row in rows))
    return _in_order(each for visit_id in visits for each in _waiting_of_visit(db, visit_id))


def waiting_for_word(db: ReadTransaction, patient_id: str, action_type: str) -> list[WaitingAction]:
    """The actions of every case in which an action of this type waits for the word of the other system on the patient.

    In the order of receipt. Those that went to staff in the meantime are among them.
    """
    rows = db.rows(
        "select distinct w.exception_id from exceptions e join waiting w on w.exception_id = e.exception_id"
        " join actions a on a.action_id = w.verdict_id where e.patient_id = :patient_id and e.settled_ms is null"
        " and a.action_type = :action_type and w.code in (:waits, :with_staff)",
        patient_id=patient_id,
        action_type=action_type,
        waits=Code.DECIDED_ELSEWHERE.value,
        with_staff=Code.NOT_CONFIRMED.value,
    )
    return _in_order(each for row in rows for each in waiting_of_case(db, row["exception_id"]))


def set_waiting_code(db: WriteTransaction, verdict_id: str, code: Code) -> None:
    """Sets why an action waits."""
    db.execute(
        "update waiting set code = :code where verdict_id = :verdict_id", {"code": code.value, "verdict_id": verdict_id}
    )


def waiting_of_case(db: ReadTransaction, exception_id: str) -> list[WaitingAction]:
    """The actions that wait in a case, in the order of receipt."""
    rows = db.rows("select * from waiting where exception_id = :exception_id", exception_id=exception_id)
    return _in_order(_waiting(row) for row in rows)


def cards_of_case(db: ReadTransaction, exception_id: str) -> list[tuple[CardHash, ...]]:
    """The cards with which the waiting actions of a case were made: the hashes of each action's card, each set once."""
    rows = db.rows(
        "select c.verdict_id, c.key_id, c.uid_hash from waiting w join waiting_cards c on c.verdict_id = w.verdict_id"
        " where w.exception_id = :exception_id order by c.verdict_id, c.key_id, c.uid_hash",
        exception_id=exception_id,
    )
    found: dict[str, tuple[CardHash, ...]] = {}
    for row in rows:
        found[row["verdict_id"]] = (*found.get(row["verdict_id"], ()), CardHash(row["key_id"], row["uid_hash"]))
    return list(dict.fromkeys(found.values()))


def case_of_visits(db: ReadTransaction, visit_ids: Collection[str], kiosk_id: str) -> str | None:
    """The case of the first action of a kiosk that waits in any of these visits; None where none waits."""
    names, parameters = any_of("visit", visit_ids)
    row = db.row(
        f"select exception_id from waiting where visit_id in {names} and {_SENT}"  # noqa: S608
        " order by received_ms, seq limit 1",
        **parameters,
        kiosk_id=kiosk_id,
    )
    return str(row["exception_id"]) if row else None


def case_of_waiting(db: ReadTransaction, verdict_id: str) -> str | None:
    """The case in which an action waits; None for an action that waits in none."""
    row = db.row("select exception_id from waiting where verdict_id = :verdict_id", verdict_id=verdict_id)
    return str(row["exception_id"]) if row else None


def has_waiting(db: ReadTransaction, exception_id: str) -> bool:
    """Whether any action waits in a case."""
    return db.row("select 1 from waiting where exception_id = :exception_id", exception_id=exception_id) is not None


def remove_waiting(db: WriteTransaction, verdict_id: str) -> None:
    """Removes an action from the inbox. Its case stays as it is."""
    db.execute("delete from waiting_cards where verdict_id = :verdict_id", {"verdict_id": verdict_id})
    db.execute("delete from waiting where verdict_id = :verdict_id", {"verdict_id": verdict_id})


def _in_order(actions: Iterable[WaitingAction]) -> list[WaitingAction]:
    return sorted(actions, key=lambda each: (each.received_ms, each.intent.epoch, each.seq))


def _waiting_of_visit(db: ReadTransaction, visit_id: str) -> list[WaitingAction]:
    rows = db.rows("select * from waiting where visit_id = :visit_id", visit_id=visit_id)
    return [_waiting(row) for row in rows]


def _waiting(row: Row) -> WaitingAction:
    return WaitingAction(
        row["verdict_id"],
        row["exception_id"],
        row["kiosk_id"],
        row["seq"],
        row["visit_id"],
        Code(row["code"]),
        _intent.decode(row["intent"]),
        _clock.decode(row["sent_clock"]),
        row["received_ms"],
        Window(row["earliest_ms"], row["latest_ms"]),
    )


# A kiosk that was enrolled again sends its waiting actions under its new id. Its former id calls no more, and a restore
# may have lost it. A kiosk that repeats the action of one that still calls gets the verdict, and no part in the case.
_SENT = (
    "(kiosk_id = :kiosk_id or (exists (select 1 from receipts r where r.verdict_id = waiting.verdict_id"
    " and r.kiosk_id = :kiosk_id) and not exists (select 1 from kiosks other join kiosks k on k.kiosk_id = :kiosk_id"
    " where other.kiosk_id = waiting.kiosk_id and other.seen_ms > k.enrolled_ms)))"
)
_ADD = Writing(
    "insert into waiting values (:verdict_id, :exception_id, :kiosk_id, :seq, :visit_id, :code, :intent,"
    " :sent_clock, :received_ms, :earliest_ms, :latest_ms)",
    Order.SECOND,
)
_ADD_CARD = Writing("insert into waiting_cards values (:key_id, :uid_hash, :verdict_id)")
_WAITING: Question[tuple[str, str], tuple[str, ...]] = Question()  # by visit and kiosk
