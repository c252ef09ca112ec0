"""The invariants of a world at rest: no action is lost or doubled, and no kiosk has diverged or is stuck."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import msgspec
from msgspec.structs import replace

from kiosk.journey.transaction_context import transaction_context
from kiosk.store import outbox, outbox_bodies, patients
from kiosk.store.outbox import OutboxRow
from sync.central.maintenance.health import check
from sync.central.records.bindings import binding_of_card
from sync.central.records.card_blocks import block_of_card
from sync.central.records.cases import BAD_CURSOR, DUPLICATE_NUMBER, FORK
from sync.clock import site_day
from sync.logs import INTERNAL
from sync.rebase import view
from tests.simulation.account import effects_of_the_liar, event_times
from tests.simulation.hospital import CARDS, ZONE, cards_of
from tests.simulation.kiosk import SimulatedKiosk
from tests.simulation.liar import KIOSK_ID
from tests.simulation.world import World
from tests.sync.central.feed.board import shown

KINDS = ("lost", "doubled", "diverged", "stuck", "unwell", "believed", "misdated", "broken")


@dataclass(frozen=True, slots=True)
class Problem:
    """A violation: its kind (one of KINDS) and its details."""

    kind: str
    text: str


def look(world: World) -> list[Problem]:
    """All problems of a world at rest."""
    checks = (
        *(
            _sites,
            _verdicts,
            _effects,
            _aliases,
            _bases,
            _cards,
            _card_layers,
            _lost_cards,
            _health,
            _unread,
            _tickets,
            _waiting,
            _feed,
        ),
        *(effects_of_the_liar, event_times),
    )
    return [Problem(kind, text) for check_of in checks for kind, text in check_of(world)]


def look_at_views(world: World) -> list[Problem]:
    """Problems with the views of the kiosks, at any time: the last base from the centre, with the pending actions on
    top.

    The view of a kiosk with a wrong clock depends on the time of its last look, so such kiosks are left out.
    """
    found = (_views(kiosk) for kiosk in world.kiosks if not kiosk.clock_was_wrong)
    return [Problem(kind, text) for each in found for kind, text in each]


Found = Iterator[tuple[str, str]]


def _views(kiosk: SimulatedKiosk) -> Found:
    identity = kiosk.journeys.identity
    assert identity is not None
    with kiosk.store.read() as db:
        # A view from before the damage of a record stays until the kiosk computes the patient's view again.
        rows = db.execute("select * from outbox where status = 'pending'")
        damaged = {row["patient_id"] for row in rows if outbox_bodies.read(row) is None}
        waiting = sorted(outbox.pending_patients(db) - damaged)
        known = {patient_id: patients.read(db, patient_id) for patient_id in waiting}
        all_pending = {each: outbox.pending_of(db, each, identity.actions, identity.site) for each in waiting}
    elsewhere = identity.site.decided_elsewhere
    pending = {
        each: [one for one in own if one.action.action_type not in elsewhere] for each, own in all_pending.items()
    }
    now = transaction_context(
        identity, kiosk.journeys.definitions, kiosk.journeys.clock(), kiosk.parts.kiosk.cards.keys
    )
    for patient_id, patient in known.items():
        status = kiosk.journeys.patient_status(patient_id)
        if patient is None or status is None:
            continue
        bookings = partial(now.bookings, patient)
        base = patient.base
        if patient.provisional:  # the base is the kiosk's own, perhaps of a day in the future
            base = replace(base, site_day=min(base.site_day, now.today))
        seen = view(now.definitions, base, pending[patient_id], now.today, bookings).journey
        # The version of a view is only a counter, and is never sent.
        if replace(status.journey, journey_version=seen.journey_version) != seen:
            yield "diverged", f"{kiosk.name} shows {patient_id} as\n {status.journey}\nand should as\n {seen}"


def _verdicts(world: World) -> Found:
    """Each acknowledged action has one verdict, the same at both ends, and a receipt. Each outbox is empty."""
    given = _given(world)
    receipts = {row[0] for row in world.centre.rows("select verdict_id from receipts")}
    firsts = Counter(row[0] for row in world.centre.rows("select verdict_id from verdicts where revision = 0"))
    for kiosk in world.kiosks:
        yield from (_row(kiosk, row, given) for row in kiosk.rows() if _differs(row, given))
    world.books.close(world.at_centre(), {row.action_id for kiosk in world.kiosks for row in kiosk.rows()})
    for action_id in sorted(world.books.owed):
        if action_id not in given:
            yield "lost", f"action {action_id} was acknowledged, and the centre does not know it"
        elif action_id not in receipts | world.books.set_aside:
            # An action from a file leaves none where its place in the chain is another action's, as after a fork.
            yield "lost", f"action {action_id} has a verdict and no receipt"
        elif firsts[action_id] > 1:
            yield "doubled", f"action {action_id} was judged {firsts[action_id]} times"


def _sites(world: World) -> Found:
    """Neither hospital has judged an action of the other one."""
    if world.elsewhere is None:
        return
    there = {row[0] for row in world.elsewhere.rows("select verdict_id from verdicts")}
    for action_id in sorted(there - world.books.elsewhere):
        yield "diverged", f"the other hospital has judged {action_id}"
    for action_id in sorted(world.at_centre() & world.books.elsewhere):
        yield "diverged", f"action {action_id} of the other hospital was judged here"


def _given(world: World) -> dict[str, tuple[str, str]]:
    """The verdict in force of every action."""
    rows = world.centre.rows("select verdict_id, verdict, code from verdicts order by revision")
    return {row["verdict_id"]: (row["verdict"], row["code"]) for row in rows}


def _differs(row: OutboxRow, given: dict[str, tuple[str, str]]) -> bool:
    return (row.status, row.code) != given.get(row.action_id)


def _row(kiosk: SimulatedKiosk, row: OutboxRow, given: dict[str, tuple[str, str]]) -> tuple[str, str]:
    at_centre = given.get(row.action_id)
    kind = "stuck" if row.status == "pending" else "lost" if at_centre is None else "diverged"
    return (
        kind,
        f"{kiosk.name}: {row.action_type} {row.action_id} is {row.status} {row.code}, at the centre {at_centre}",
    )


def _effects(world: World) -> Found:
    """Each applied action moved one journey once, and no other action moved a journey."""
    rows = world.centre.rows("select action_id from transitions where trigger_type <> 'queue_sync'")
    done = Counter(row[0] for row in rows if row[0])
    yield from (("doubled", f"action {each} moved {times} times") for each, times in done.items() if times > 1)
    applied = {each for each, (verdict, _) in _given(world).items() if verdict == "applied"}
    direct = {
        row[0]
        for row in world.centre.rows(
            "select action_id from actions where outcome = 'applied' and source = 'rest' and action_type <> :entry",
            entry="change_entry",
        )
    }
    for action_id in sorted(applied - done.keys()):
        yield "lost", f"action {action_id} counts as applied, and has no effect"
    for action_id in sorted(done.keys() - applied - direct):
        yield "doubled", f"action {action_id} moved a journey, and does not count as applied"


def _bases(world: World) -> Found:
    """Each kiosk holds and shows the patients of the roster as the centre has them. Others may stay, as not here."""
    for patient_id in _patients(world):
        journey = world.centre.journey(patient_id)
        assert journey is not None
        in_line = any(entry.state in world.centre.definitions.live for entry in journey.entries)
        has_reason = journey.visit_id is not None or in_line or bool(journey.appointments)
        on_roster = has_reason or world.centre.is_guest(patient_id)
        for kiosk in world.kiosks:
            known = kiosk.patient(patient_id)
            status = kiosk.journeys.patient_status(patient_id)
            if known is None or status is None:
                if on_roster:
                    yield "diverged", f"{kiosk.name} does not know {patient_id}"
                continue
            if on_roster and known.base != journey:
                yield "diverged", f"{kiosk.name} holds {patient_id} as\n {known.base}\nthe centre as\n {journey}"
            elif on_roster and status.journey != journey:
                yield "diverged", f"{kiosk.name} shows {patient_id} as\n {status.journey}\nthe centre has\n {journey}"
            elif status.journey.state != journey.state:
                yield "diverged", f"{kiosk.name} shows {patient_id} as {status.journey.state}, not {journey.state}"


def _aliases(world: World) -> Found:
    """An action of a visit that is an alias belongs to the visit behind the alias."""
    rows = world.centre.rows(
        "select a.alias_id, v.patient_id, a.since_ms from visit_aliases a join visits v on v.visit_id = a.visit_id"
    )
    aliases = {(alias_id, patient_id): since_ms for alias_id, patient_id, since_ms in rows}
    rows = world.centre.rows(
        "select verdict_id, patient_id, recorded_ms from verdicts where visit_id is null and code = 'not_allowed'"
    )
    unknown = {action_id: (patient_id, judged_ms) for action_id, patient_id, judged_ms in rows}
    for kiosk in world.kiosks:
        with kiosk.store.read() as db:
            read = [outbox_bodies.read(row) for row in db.execute("select * from outbox")]
        sent = {intent.action_id: intent.visit_id for intent in read if intent is not None}
        for action_id in sorted(unknown.keys() & sent.keys()):
            patient_id, judged_ms = unknown[action_id]
            if judged_ms > aliases.get((sent[action_id], patient_id), judged_ms):
                yield "lost", f"{kiosk.name}: {action_id} is of a visit behind an alias, and was not known there"


def _cards(world: World) -> Found:
    """A card has the same holder at each kiosk as at the centre."""
    for card in CARDS:
        with world.centre.store.read() as db:
            holder = binding_of_card(db, world.centre.parts.keys.stored(cards_of(card)))
        for kiosk in world.kiosks:
            patient_id = kiosk.parts.patient_of_card(cards_of(card))
            patient = kiosk.patient(patient_id) if patient_id else None
            if patient and not patient.provisional and (holder is None or holder.patient_id != patient_id):
                yield "diverged", f"{kiosk.name} takes card {card} for {patient_id}, the centre for {holder}"


def _card_layers(world: World) -> Found:
    """After a rotation each card is stored once, under the newest key, and each binding is of the card that it was."""
    newest = world.centre.parts.keys.known.newest
    for table, owner in (("binding_hashes", "binding_id"), ("blocked_hashes", "block_id")):
        rows = world.centre.rows(f"select {owner} as owner, count(*) as n, min(key_id) as k from {table} group by 1")
        for row in rows:
            if (row["n"], row["k"]) != (1, newest):
                yield "broken", f"{owner} {row['owner']} has {row['n']} hashes, one under {row['k']}, not {newest}"
    for row in world.centre.rows("select verdict_id, key_id from waiting_cards"):
        if row["key_id"] in world.centre.parts.keys.known.ids[:-1]:
            yield "broken", f"action {row['verdict_id']} waits for a card under {row['key_id']}"
    now = world.centre.cards_of_bindings()
    there = {row[0] for row in world.centre.rows("select binding_id from bindings")}
    for binding_id, card in world.bound.items():
        if binding_id in there and now.get(binding_id) != card:
            yield "broken", f"binding {binding_id} was of {card}, now {now.get(binding_id)}"
    for kiosk in world.kiosks:
        if kiosk.ledger.card_key_id() != newest:
            yield "diverged", f"{kiosk.name} has the card key {kiosk.ledger.card_key_id()}, the centre {newest}"


def _lost_cards(world: World) -> Found:
    """A card that was reported lost is bound to nobody, and opens nobody at any kiosk. No other card is blocked."""
    for card in CARDS:
        cards = cards_of(card)
        with world.centre.store.read() as db:
            stored = world.centre.parts.keys.stored(cards)
            is_lost, holder = block_of_card(db, stored) is not None, binding_of_card(db, stored)
        if is_lost and holder is not None:
            yield "broken", f"card {card} was reported lost, and {holder.patient_id} holds it"
        for kiosk in world.kiosks:
            if kiosk.knows_lost(cards) != is_lost:
                yield "diverged", f"{kiosk.name} takes card {card} for {'usable' if is_lost else 'lost'}"
            elif is_lost and kiosk.parts.patient_of_card(cards) is not None:
                yield "broken", f"{kiosk.name} opens somebody for the lost card {card}"


def _health(world: World) -> Found:
    """`kiosk-central check` finds nothing, only damaged records are in quarantine, and no cursor counts as made up."""
    with world.centre.store.read() as db:
        health = check(db, world.centre.definitions)
    # A kiosk that has gone elsewhere tells nothing more. Its last word stands until an operator revokes it.
    here = {kiosk.journeys.identity.kiosk_id for kiosk in world.kiosks if kiosk.journeys.identity}
    stuck: list[object] = [each for each in health.stuck_kiosks if each.kiosk_id in here]
    stuck += [each for each in health.unanswered_kiosks if each.kiosk_id in here]
    stuck += health.stray_bookings
    if stuck or health.inconsistent or health.orphans or health.illegal_transitions:
        yield "unwell", f"{health.inconsistent} {health.orphans} {health.illegal_transitions} {stuck}"
    rows = world.centre.rows(
        "select kiosk_id, seq, reason, action_id from quarantine where kiosk_id <> :liar", liar=KIOSK_ID
    )
    for row in rows:
        if row["action_id"] not in world.books.damaged:
            yield "unwell", f"action {row['seq']} of {row['kiosk_id']} was quarantined: {row['reason']}"
    made_up = "select kiosk_id from exceptions where code = :code and kiosk_id <> :liar"
    for row in world.centre.rows(made_up, code=BAD_CURSOR, liar=KIOSK_ID):
        yield "unwell", f"the centre takes a cursor of {row['kiosk_id']} for made up"


def _unread(world: World) -> Found:
    """Staff have a case for each quarantined action, and none met an internal error."""
    failed = world.centre.rows("select kiosk_id, seq from quarantine where reason = :reason", reason=INTERNAL)
    yield from (("broken", f"action {row['seq']} of {row['kiosk_id']} met an internal error") for row in failed)
    rows = world.centre.rows("select q.verdict_id from quarantine q join exceptions e using (exception_id)")
    aside = {each for each, (_, code) in _given(world).items() if code == "quarantined"}
    yield from (
        ("lost", f"action {each} was quarantined, and staff have no case")
        for each in sorted(aside - {row[0] for row in rows})
    )


def _tickets(world: World) -> Found:
    """No two entries of a day have one number, and no two live entries of any days.

    A clone, and a disk that was set back, must be detected there. An entry that stays overnight is an entry of each of
    its days. An entry that came late into the history of an earlier day has a number of a later day.
    """
    held: dict[tuple[str, ...], set[str]] = defaultdict(set)
    columns = "queue_id, queue_number, label_aliases, site_day, opened_ms"
    rows = world.centre.rows(f"select {columns} from entries order by queue_id")
    for row in rows:
        if site_day(row["opened_ms"], ZONE, "04:00") > row["site_day"]:
            continue
        for number in (row["queue_number"], *msgspec.json.decode(row["label_aliases"])):
            held[row["site_day"], number].add(row["queue_id"])
    for journey in map(world.centre.journey, _patients(world)):
        for entry in journey.entries if journey else ():
            for number in (
                (entry.queue_number, *entry.label_aliases) if entry.state in world.centre.definitions.live else ()
            ):
                held["live", number].add(entry.queue_id)
    prefixes = dict(world.centre.rows("select ticket_prefix, kiosk_id from kiosks"))
    for (day, number), queue_ids in held.items():
        if len(queue_ids) > 1 and prefixes.get(number.split("-")[0]) not in world.books.suspects:
            yield "doubled", f"ticket {number} was given to {sorted(queue_ids)} ({day})"
        elif len(queue_ids) > 1 and not _detected(world, number, prefixes):
            yield "doubled", f"ticket {number} was given to {sorted(queue_ids)} ({day}), and staff have no case"


def _patients(world: World) -> list[str]:
    return [row[0] for row in world.centre.rows("select patient_id from patients order by patient_id")]


def _detected(world: World, number: str, prefixes: dict[str, str]) -> bool:
    cases = world.centre.rows(
        "select detail from exceptions where code = :duplicate or (code = :fork and kiosk_id = :kiosk_id)",
        duplicate=DUPLICATE_NUMBER,
        fork=FORK,
        kiosk_id=prefixes.get(number.split("-")[0]),
    )
    return bool(cases)


def _waiting(world: World) -> Found:
    """The actions that wait for staff are those whose verdict needs staff."""
    waiting = {row[0] for row in world.centre.rows("select verdict_id from waiting where code <> 'quarantined'")}
    given = _given(world).items()
    needing = {each for each, (verdict, code) in given if verdict == "needs_staff" and code != "quarantined"}
    for action_id in sorted(waiting ^ needing):
        yield "stuck", f"action {action_id} {'waits without need' if action_id in waiting else 'is not in the inbox'}"


def _feed(world: World) -> Found:
    """Who has folded the feed of events all the time has the entries of the database."""
    told, there = world.receiver.read(world.centre.parts).entries, shown(world.centre.parts)
    for queue_id in sorted(told.keys() | there.keys()):
        if told.get(queue_id) != there.get(queue_id):
            yield "diverged", f"the feed tells {told.get(queue_id)} of {queue_id}, which is {there.get(queue_id)}"
