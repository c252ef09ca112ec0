"""The lies of a kiosk, by name. Each is told over the real endpoints, and the liar checks what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from kiosk.store import outbox_bodies
from sync.central.records.bindings import binding_of_card
from sync.central.records.catching_up import is_catching_up
from sync.central.records.roster import is_on_roster
from sync.journey.model import Journey
from tests.simulation.hospital import CARDS, LIAR, LIARS_OWN, PATIENTS, cards_of
from tests.simulation.liar import KIOSK_ID, LOOKUP, Json, Liar
from tests.simulation.lies_about_times import (
    false_seqs,
    false_times,
    fills_the_rows,
    hides_behind_pushes,
    lies_about_its_backlog,
    rewrites,
    tells_once_and_dates_back,
)
from tests.simulation.lies_in_messages import (
    another_place,
    another_sender,
    epochs,
    false_cursors,
    forks_and_gaps,
    garbage,
    many,
    twice,
    unread,
)


@dataclass(frozen=True, slots=True)
class Lie:
    """A kind of lie, and its weight in the choice of lies."""

    name: str
    tell: Callable[[Liar], None]
    weight: int = 4


def _does_its_part(liar: Liar) -> None:
    """What any kiosk may do: the next action of a patient of its own, at the true time."""
    liar.catch_up()
    liar.push(liar.action())


def _another_card(liar: Liar) -> None:
    held = liar.world.centre.rows(
        "select h.key_id, h.uid_hash from binding_hashes h join bindings b using (binding_id)"
        " where b.end_ms is null and b.patient_id not in ('L1', 'L2') order by h.uid_hash"
    )
    if held:
        key_id, uid_hash = liar.chance.choice(held)
        liar.refused(liar.action(card={"key_id": key_id, "uid_hash": uid_hash}))


def _another_binding(liar: Liar) -> None:
    own = liar.world.centre.rows("select binding_id, patient_id from bindings order by patient_id, binding_id")
    others = [row["binding_id"] for row in own if row["patient_id"] not in LIARS_OWN]
    liar.refused(liar.action(binding_id=liar.chance.choice(others)))


def _hospitals_id_for_a_stranger(liar: Liar) -> None:
    card = msgspec.to_builtins(cards_of(liar.chance.choice(LIARS_OWN))[0])
    for patient_id in (liar.chance.choice(PATIENTS), "P9", f"card-{'0' * 8}"):
        liar.refused(liar.action(patient_id=patient_id, provisional=True, card=card, binding_id=None))


def _another_kiosks_stranger(liar: Liar) -> None:
    """The name that another kiosk gave to the holder of an unknown card, with a card of its own.

    Where staff have given that card to the person of the name, it is no lie.
    """
    rows = liar.world.centre.rows(
        "select alias_id from patient_aliases where alias_id like 'card-%' and patient_id not in ('L1', 'L2')"
    )
    if rows and not _is_anothers(liar, LIARS_OWN[0]):
        card = msgspec.to_builtins(cards_of(LIARS_OWN[0])[0])
        name = liar.chance.choice(rows)["alias_id"]
        liar.refused(liar.action(patient_id=name, provisional=True, card=card, binding_id=None))


def _its_own_stranger(liar: Liar) -> None:
    """A card of its own patients, as an unknown one: what any kiosk may do. Staff may have given it to another."""
    own = [each for each in LIARS_OWN if not _is_anothers(liar, each)]
    if own:
        card = msgspec.to_builtins(cards_of(liar.chance.choice(own))[0])
        name = f"card-{liar.world.new_id()}"
        liar.push(liar.action(action_type="scan_nfc", patient_id=name, provisional=True, card=card, binding_id=None))


def _is_anothers(liar: Liar, card: str) -> bool:
    """Whether a card belongs to a patient of another's by now. Then any kiosk may act for that patient by the card."""
    centre = liar.world.centre
    with centre.store.read() as db:
        holder = binding_of_card(db, centre.parts.keys.stored(cards_of(card)))
    return holder is not None and holder.patient_id not in LIARS_OWN


def _strangers(liar: Liar) -> None:
    """A patient whom no page has named, by the id alone or beside ids of others; and ids of nobody."""
    centre, world = liar.world.centre, liar.world
    with centre.store.read() as db:
        # After a restore a kiosk may know rows that are lost: a liar too, until it says that it has sent everything.
        if is_catching_up(db, KIOSK_ID):
            return
        unnamed = [each for each in PATIENTS if not is_on_roster(db, centre.definitions, each, centre.today())]
    named = {row[0] for row in centre.rows("select patient_id from patients")}
    strangers = [*[each for each in unnamed if each in named] * 3, "X-100", "P6'; drop table patients"]
    others: list[Json] = [
        {},
        {"binding_id": world.new_id()},
        {"card": {"key_id": "k1", "uid_hash": "0" * 64}},
        {"visit_id": _visit_of_another(liar) or world.new_id(), "base_version": 10**6},
    ]
    patient_id = liar.chance.choice(strangers)
    said = liar.chance.choice(others)
    if not said.get("visit_id") or patient_id not in named:
        # It may know the row of a day before, and its binding. Such an action would be believed.
        liar.refused(liar.action(**{"patient_id": patient_id, "binding_id": None, "visit_id": world.new_id(), **said}))


def _false_numbers(liar: Liar) -> None:
    liar.catch_up()
    number = liar.chance.choice(
        ("A-901", "B-902", "C-903", "<script>", "\u202eL-904", "L-100000", "L-000", "l-905", "L-٠٠١", "x" * 128, "L-9 ")
    )
    liar.false_numbers.add(number)
    liar.refused(liar.action(queue_number=number))


def _large_numbers_of_its_own(liar: Liar) -> None:
    liar.catch_up()
    liar.push(liar.action(queue_number=liar.chance.choice((f"{LIAR}-99999", f"{LIAR}-00001", f"{LIAR}-12345"))))


def _ungranted(liar: Liar) -> None:
    action_type = liar.chance.choice(("make_payment", "leave_hospital", "call_patient", "cancel_appointment", "merge"))
    liar.refused(liar.action(action_type=action_type, payload={"receipt_id": f"R-{liar.chance.randrange(40)}"}))


def _held(liar: Liar) -> None:
    held = {
        "verdict": liar.chance.choice(("applied", "merged", "superseded", "needs_staff")),
        "code": liar.chance.choice(("ok", "late", "moved_on", "quarantined")),
        "revision": liar.chance.choice((0, 1, 2**31 - 1, 2**31, -5, 2**62)),
    }
    liar.push(liar.action(), beside={"held": held})


def _false_base(liar: Liar) -> None:
    """Any state, leg, version and rules, for a patient of its own."""
    lies: Json = {
        "journey_state": liar.chance.choice(("", "FINISHED", "x" * 128, "WAITING", "PAYMENT")),
        "leg": liar.chance.choice((0, 1, 7, 2**53 - 1)),
        "base_version": liar.chance.choice((0, 10**9, 2**53 - 1)),
        "definitions_version": liar.chance.choice((0, 1, 2, 2**53 - 1)),
        "site_day": liar.chance.choice(("2020-01-01", "2026-03-02", "9999-12-31")),
        "action_type": liar.chance.choice(("scan_nfc", "register", "confirm_arrival")),
        "appointment_ids": ["A0", "A2"],
    }
    names = liar.chance.sample(sorted(lies), liar.chance.randrange(1, 4))
    liar.push(liar.action(**{name: lies[name] for name in names}))


def _visit_of_another(liar: Liar) -> str | None:
    rows = liar.world.centre.rows(
        "select visit_id from visits where patient_id not in ('L1', 'L2') union select a.alias_id from visit_aliases a"
        " join visits v using (visit_id) where v.patient_id not in ('L1', 'L2')"
        " order by 1"
    )
    return str(liar.chance.choice(rows)[0]) if rows else None


def _another_visit(liar: Liar) -> None:
    visit_id = _visit_of_another(liar)
    if visit_id:
        liar.catch_up()
        kinds = ("scan_nfc", "register", "confirm_arrival")
        liar.push(liar.action(visit_id=visit_id, action_type=liar.chance.choice(kinds)))


def _another_entry(liar: Liar) -> None:
    rows = liar.world.centre.rows(
        "select queue_id, exam_id from entries where patient_id not in ('L1', 'L2') order by queue_id"
    )
    if rows:
        liar.catch_up()
        queue_id, exam_id = liar.chance.choice(rows)
        payload = {"queue_id": queue_id, "exam_id": liar.chance.choice((exam_id, "X", "nothing", 7))}
        liar.push(liar.action(queue_id=queue_id, exam_id=exam_id, payload=payload))


def _another_action(liar: Liar) -> None:
    """The id of an action that was judged before: with another content, or word for word in its own chain."""
    kiosk = liar.world.pick_kiosk()
    with kiosk.store.read() as db:
        rows = db.execute("select * from outbox where status <> 'pending' order by action_id").fetchall()
    read = [each for each in map(outbox_bodies.read, rows) if each is not None]
    if read and kiosk.site_id() == liar.world.site_id:
        body = msgspec.to_builtins(liar.chance.choice(read))
        place = {"kiosk_id": KIOSK_ID, "epoch": liar.epoch, "seq": liar.seq + 1}
        known = liar.world.centre.rows("select 1 from verdicts where verdict_id = :id", id=body["action_id"])
        if known and liar.chance.random() < 0.5:
            liar.push({**body, **place})
        elif known:
            liar.refused(liar.action(action_id=body["action_id"]))


def _its_own_action_again(liar: Liar) -> None:
    known = sorted(liar.said.keys() & liar.world.at_centre())
    if known:
        liar.refused(liar.action(action_id=liar.chance.choice(known), payload={"again": liar.world.event}))


def _looks_up(liar: Liar) -> None:
    """Looks cards up until the centre answers no more."""
    (card,) = cards_of(liar.chance.choice(CARDS))
    head = {"protocol_version": 2, "site_id": liar.world.site_id, "kiosk_id": KIOSK_ID}
    answers = [liar.call(LOOKUP, {**head, "card": card}) for _ in range(liar.chance.choice((1, 22)))]
    assert sum("patient" in answer for answer in answers) <= 20
    for malformed in (None, [card], {"key_id": "x" * 200, "uid_hash": ""}):
        assert "code" in liar.call(LOOKUP, {**head, "card": malformed})


def _random(liar: Liar) -> None:
    """Any members of several lies in one action of its own patients."""
    lies: Json = {
        "visit_id": liar.world.new_id(),
        "queue_id": liar.world.new_id(),
        "base_version": liar.chance.randrange(40),
        "leg": liar.chance.randrange(4),
        "journey_state": liar.chance.choice(("", *Journey.__struct_fields__)),
        "binding_id": None,
        "card": msgspec.to_builtins(cards_of(liar.chance.choice(("N1", "N2", *LIARS_OWN)))[0]),
        "action_type": liar.chance.choice(("scan_nfc", "register", "confirm_arrival", "leave_hospital")),
        "exam_id": liar.chance.choice(("X", "E", "none")),
        "payload": {"exam_id": "X", "answers": {"fasting": None}},
        "appointment_ids": ["A0", "A9", ""],
        "definitions_version": liar.chance.randrange(4),
    }
    names = liar.chance.sample(sorted(lies), liar.chance.randrange(1, 7))
    liar.push(liar.action(**{name: lies[name] for name in names}))


LIES: tuple[Lie, ...] = (
    Lie("it does its part", _does_its_part, 16),
    Lie("another's card", _another_card),
    Lie("another's binding", _another_binding),
    Lie("a hospital's id for a stranger", _hospitals_id_for_a_stranger),
    Lie("another kiosk's stranger", _another_kiosks_stranger),
    Lie("a stranger of its own", _its_own_stranger, 2),
    Lie("patients that it was never told", _strangers),
    Lie("false numbers", _false_numbers),
    Lie("large numbers of its own", _large_numbers_of_its_own, 1),
    Lie("false times", false_times, 12),
    Lie("false seqs", false_seqs, 6),
    Lie("a seq told once", tells_once_and_dates_back),
    Lie("an action rewritten", rewrites),
    Lie("told rows filled", fills_the_rows, 1),
    Lie("pulls hidden behind pushes", hides_behind_pushes),
    Lie("false backlogs", lies_about_its_backlog, 2),
    Lie("ungranted actions", _ungranted),
    Lie("false verdicts held", _held),
    Lie("a false base", _false_base, 6),
    Lie("another's visit", _another_visit),
    Lie("another's entry", _another_entry),
    Lie("another's action", _another_action),
    Lie("its own action again", _its_own_action_again, 2),
    Lie("unread records", unread),
    Lie("another place in a chain", another_place),
    Lie("another sender", another_sender, 2),
    Lie("epochs at will", epochs, 2),
    Lie("forks and gaps", forks_and_gaps),
    Lie("false cursors", false_cursors),
    Lie("look-ups", _looks_up, 2),
    Lie("the same again", twice),
    Lie("many actions", many, 1),
    Lie("garbage", garbage),
    Lie("random lies", _random, 6),
)
