"""Rotation of the card keys by layers: every stored hash of a card gets the HMAC of itself under a new key.

The new key is durable in the key file first. Then a walk over the rows follows, in the order of `Step`. Each
transaction takes a portion, and notes its place in the walk. So a walk that was killed goes on: before the next start
serves anybody, where kiosks do not have the key yet, and else in the background.

Until the older rows go, a card is stored under the old key and under the new one. So each hash of it is found that a
kiosk, a request or a waiting action may hold.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sync.cards import CardHash, CardKey, CardKeys, new_key, write_keys
from sync.central.centre import Centre
from sync.central.maintenance.rotation_steps import Step
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.card_keys import (
    CardKeyRecord,
    note_lifted,
    note_met,
    note_place,
    note_published,
    read_card_keys,
    read_place,
)
from sync.central.records.card_layers import (
    LASTING,
    TABLES,
    TEXTS,
    WAITING,
    HashRow,
    HashTable,
    TextColumn,
    TextRow,
    add_hash_rows,
    delete_hash_rows,
    hash_rows,
    set_texts,
    text_rows,
)
from sync.central.store.transactions import ReadTransaction, WriteTransaction

log = logging.getLogger(__name__)

AT_ONCE = 200  # rows of a transaction, so that an action waits 50 ms for it at most


class OtherHosts(Exception):
    """Another host serves the database, and has a key file of its own."""


class Place(msgspec.Struct, frozen=True):
    """How far a walk has come: the step, the number of its part, and the last row of that part."""

    step: Step = Step.ADD
    part: int = 0
    after: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Walk:
    """One transaction of a walk from `former` keys, oldest first, to the newest one of `keys`."""

    db: WriteTransaction
    keys: CardKeys
    former: tuple[str, ...]
    at_once: int


def begin_rotation(centre: Centre, who: str, make_key: Callable[[Collection[str]], CardKey] = new_key) -> str:
    """Makes a new card key, durably, unless a rotation is under way. Returns the id of the newest key.

    `who` is the operator in the audit. `make_key` makes a key with none of these ids. Raises OSError, and OtherHosts
    where another host serves the database: its key file would not have the key.
    """
    with centre.store.write() as db:
        if is_lifted(db, centre):
            if centre.store.has_other_hosts():
                raise OtherHosts
            key, now_ms = make_key(centre.keys.known.ids), centre.clock()
            write_keys(centre.keys.path, CardKeys((*centre.keys.known.keys, key)))
            centre.keys.begin(key)
            note_met(db, key.key_id, now_ms)
            db.note_common_change()
            note(db, who, AuditKind.CARD_KEYS, now_ms, detail={"key_id": key.key_id})
    return centre.keys.known.newest


def is_lifted(db: ReadTransaction, centre: Centre) -> bool:
    """Whether every card is stored under the newest key alone."""
    newest = _newest(db)
    return newest is not None and newest.key_id == centre.keys.known.newest and newest.lifted_ms is not None


def walk_on(centre: Centre, is_stopped: Callable[[], bool] = lambda: False, at_once: int = AT_ONCE) -> Step:
    """Takes portions of a walk until it is done, or stopped. Returns the step that comes next."""
    with centre.store.read() as db:
        step = Step.DONE if is_lifted(db, centre) else read_step(db)
    while step is not Step.DONE and not is_stopped():
        step = walk_portion(centre, at_once)
    return step


def publish_all(centre: Centre) -> None:
    """Walks until kiosks may have every key of the key file.

    The centre serves nobody before that. Where an older database was put back, a kiosk may know a key that the rows
    do not have yet.
    """
    with centre.store.read() as db:
        newest = _newest(db)
        if newest is not None and newest.key_id == centre.keys.known.newest and newest.published_ms is not None:
            return
    if newest is not None:
        log.warning("cards are stored under the key %s before anything is served", centre.keys.known.newest)
    while walk_portion(centre) in (Step.ADD, Step.PUBLISH):
        pass


def walk_portion(centre: Centre, at_once: int = AT_ONCE) -> Step:
    """Takes one portion of a walk, in one transaction. Returns the step that comes next."""
    keys, now_ms = centre.keys, centre.clock()
    with centre.store.write() as db:
        if is_lifted(db, centre):
            return Step.DONE
        for key_id in keys.known.ids:
            note_met(db, key_id, now_ms)
        walk, place = _Walk(db, keys.known, keys.known.ids[:-1], at_once), _read_place(db)
        # No card can be stored under a key before the first one.
        after = _STEPS[place.step](walk, place) if walk.former else Place(Step.DONE)
        if place.step is Step.PUBLISH:
            keys.publish()
            note_published(db, now_ms)
            db.announce_card_keys(db.next_change())
            db.note_common_change()
            log.info("card key %s: kiosks get it from now on", keys.known.newest)
        if after.step in (Step.DROP, Step.DONE):
            # Every card has its row under the newest key, and nothing that waits names it by an older one.
            keys.finish()
            db.note_common_change()
        if after.step is Step.DONE:
            note_published(db, now_ms)
            note_lifted(db, now_ms)
            if walk.former:
                log.info("card key %s: every card is stored under it", keys.known.newest)
        note_place(db, msgspec.json.encode(after).decode())
    return after.step


def read_step(db: ReadTransaction) -> Step:
    """The step that a walk which is not done takes next."""
    return _read_place(db).step


def stored_from(db: ReadTransaction) -> str:
    """The oldest key under which a card that is stored now has a row; empty where the database knows none."""
    known = read_card_keys(db)
    if known and _read_place(db).step is Step.DROP:
        return known[-1].key_id
    return next((record.key_id for record in reversed(known) if record.lifted_ms is not None), "")


def _add(walk: _Walk, place: Place) -> Place:
    return _take_part(walk, place, [(table, key_id) for key_id in walk.former for table in LASTING], Step.PUBLISH)


def _publish(_: _Walk, __: Place) -> Place:
    return Place(Step.TEXTS)


def _lift_texts(walk: _Walk, place: Place) -> Place:
    return _take_part(walk, place, [*((WAITING, key_id) for key_id in walk.former), *TEXTS], Step.DROP)


def _drop(walk: _Walk, _: Place) -> Place:
    for table in TABLES:
        for key_id in walk.former:
            rows = hash_rows(walk.db, table, key_id, None, walk.at_once)
            if rows:
                delete_hash_rows(walk.db, table, rows)
                return Place(Step.DROP)
    return Place(Step.DONE)


_STEPS: dict[Step, Callable[[_Walk, Place], Place]] = {
    Step.ADD: _add,
    Step.PUBLISH: _publish,
    Step.TEXTS: _lift_texts,
    Step.DROP: _drop,
}


def _take_part(walk: _Walk, place: Place, parts: Sequence[tuple[HashTable, str] | TextColumn], then: Step) -> Place:
    """Takes the next rows of a step's part. Returns the place after them, at the step `then` after the last part."""
    if place.part >= len(parts):
        return Place(then)
    part = parts[place.part]
    places = _lift_column(walk, part, place) if isinstance(part, TextColumn) else _add_layer(walk, *part, place)
    if len(places) < walk.at_once:
        return Place(place.step, place.part + 1)
    return Place(place.step, place.part, places[-1])


def _add_layer(walk: _Walk, table: HashTable, key_id: str, place: Place) -> list[tuple[object, ...]]:
    """Adds the newest hash beside the next ones under a key. Returns the places of those rows."""
    after = HashRow(CardHash(key_id, place.after[0]), place.after[1]) if place.after else None
    rows = hash_rows(walk.db, table, key_id, after, walk.at_once)
    add_hash_rows(walk.db, table, [HashRow(walk.keys.lift(row.card), row.owner) for row in rows])
    return [(row.card.uid_hash, row.owner) for row in rows]


def _lift_column(walk: _Walk, column: TextColumn, place: Place) -> list[tuple[object, ...]]:
    """Lifts the hashes in the next texts of a column. Returns the places of those rows."""
    rows = text_rows(walk.db, column, place.after, walk.at_once)
    lifted = [TextRow(row.place, walk.keys.lift_in(row.text)) for row in rows]
    set_texts(walk.db, column, [now for now, before in zip(lifted, rows, strict=True) if now != before])
    return [row.place for row in rows]


def _newest(db: ReadTransaction) -> CardKeyRecord | None:
    known = read_card_keys(db)
    return known[-1] if known else None


def _read_place(db: ReadTransaction) -> Place:
    place = read_place(db)
    return msgspec.json.decode(place, type=Place) if place else Place()
