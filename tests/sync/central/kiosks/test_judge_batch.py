"""A batch that is judged as a set leaves the same database and the same verdicts as its actions one by one."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.store.outbox_bodies import read
from sync.central.conflicts.gather import judging_context
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.judge_batch import judge_batch
from sync.central.kiosks.judge_link import judge_link
from sync.central.kiosks.links import Continues, Link, fit, links_of
from sync.central.records.chains import read_chain
from sync.central.records.kiosks import read_kiosk
from sync.central.store.transactions import WriteTransaction
from sync.ids import new_id
from sync.protocol import MAX_BATCH, NO_HASH, Intent, Pushed, VerdictRow, canonical, link_hash
from tests.sync.central.kiosks.sender import Sender
from tests.sync.central.wire import DAY, EVERYTHING, PATIENTS, Centre, Kiosk, Time, cards_of

LONG = bool(os.environ.get("LONG"))
Judge = Callable[[WriteTransaction, Batch, Sequence[Link]], list[VerdictRow]]
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STRANGER = "P9"  # nobody has this card
DAYS = ("2026-03-01", DAY, "2026-03-03", "2026-03-04")
ACTIONS = (*EVERYTHING, "call_patient", "no_such_action")


def one_by_one(db: WriteTransaction, batch: Batch, links: Sequence[Link]) -> list[VerdictRow]:
    return [judge_link(db, batch, link) for link in links]


@dataclass
class Chain:
    """The chain of one kiosk, which the test itself sends."""

    kiosk_id: str
    seq: int = 0
    head: str = NO_HASH
    sent: list[Intent] = field(default_factory=list)

    def link(self, body: object) -> Pushed:
        """A body as the next link."""
        raw = canonical(body)
        self.seq, self.head = self.seq + 1, link_hash(self.head, raw)
        return Pushed(self.head, msgspec.Raw(raw))

    def follow(self, intent: Intent) -> Pushed:
        """An intent as the next link."""
        moved = msgspec.structs.replace(intent, kiosk_id=self.kiosk_id, seq=self.seq + 1)
        self.sent.append(moved)
        return self.link(moved)


class TwoCentres:
    """Two copies of one centre. One judges batches as sets, the other one by one."""

    def __init__(self, template: Path, directory: Path, time: Time) -> None:
        self.time = time
        self.centres: list[tuple[Centre, Judge]] = []
        for name, judge in (("set", judge_batch), ("single", one_by_one)):
            path = directory / f"{name}.db"
            shutil.copy(template, path)
            shutil.copy(template.with_suffix(".keys"), path.with_suffix(".keys"))
            self.centres.append((Centre(path, time), judge))

    def both(self, do: Callable[[Centre], object]) -> None:
        """Does the same at both."""
        for centre, _ in self.centres:
            do(centre)

    def push(self, chain: Chain, actions: Sequence[Pushed], kiosk: Kiosk) -> None:
        """Has both judge a batch, and compares verdicts and databases."""
        of_set, single = (_judged(centre, judge, chain.kiosk_id, actions, kiosk) for centre, judge in self.centres)
        known = {uuid for each in actions for uuid in UUID.findall(bytes(each.body).decode())}
        assert _masked(of_set, known) == _masked(single, known)
        databases = [_dump(centre.path, known) for centre, _ in self.centres]
        for table, rows in databases[0].items():
            assert rows == databases[1][table], table

    def close(self) -> None:
        self.both(lambda centre: centre.store.close())


def _judged(centre: Centre, judge: Judge, kiosk_id: str, actions: Sequence[Pushed], kiosk: Kiosk) -> list[VerdictRow]:
    with centre.store.write() as db:
        context = judging_context(db, centre.definitions, new_id, centre.time())
        sender = read_kiosk(db, kiosk_id)
        assert sender is not None
        chain = read_chain(db, kiosk_id, 1)
        links = links_of(chain, actions)
        fitted = fit(db, chain, links)
        assert isinstance(fitted, Continues)
        batch = Batch(context, centre.parts.keys.published, sender, chain, kiosk.clock())
        verdicts = judge(db, batch, fitted.fresh)
        db.execute(
            "update chains set last_seq = :seq, last_hash = :hash where kiosk_id = :kiosk_id",
            {"seq": links[-1].seq, "hash": links[-1].hash, "kiosk_id": kiosk_id},
        )
    return verdicts


def _masked(rows: Sequence[VerdictRow], known: set[str]) -> list[str]:
    return [_mask(msgspec.json.encode(row).decode(), known) for row in rows]


def _mask(text: str, known: set[str]) -> str:
    """A text without the ids that a centre has made for itself."""
    return UUID.sub(lambda found: found[0] if found[0] in known else "*", text)


def _dump(path: Path, known: set[str]) -> dict[str, list[str]]:
    with sqlite3.connect(path) as db:
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        return {
            table: sorted(_mask(str(row), known) for row in db.execute(f"select * from {table}")) for table in tables
        }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre with three patients and two kiosks that have pulled its roster."""
    directory = tmp_path_factory.mktemp("template")
    centre = Centre(directory / "centre.db", Time())
    for prefix in "AB":
        kiosk = Kiosk(directory / f"{prefix}.db", centre, prefix, EVERYTHING)
        kiosk.pull()
        kiosk.store.close()
    centre.store.close()
    return directory / "centre.db"


class Hospital:
    """Two kiosks without a network, and two centres that get the same."""

    def __init__(self, template: Path, directory: Path) -> None:
        self.time = Time()
        self.two = TwoCentres(template, directory, self.time)
        self.kiosks, self.chains, self.read = [], [], [0, 0]
        for prefix in "AB":
            for ending in (".db", ".db.keys"):
                shutil.copy(template.with_name(f"{prefix}{ending}"), directory)
            kiosk = Kiosk(directory / f"{prefix}.db", self.two.centres[0][0], prefix)
            assert kiosk.journeys.identity is not None
            self.kiosks.append(kiosk)
            self.chains.append(Chain(kiosk.journeys.identity.kiosk_id))

    def new_intents(self, number: int) -> list[Intent]:
        """What was done at a kiosk since the last time."""
        with self.kiosks[number].store.read() as db:
            rows = db.execute("select * from outbox order by seq").fetchall()[self.read[number] :]
        self.read[number] += len(rows)
        return [intent for row in rows if (intent := read(row)) is not None]

    def close(self) -> None:
        for kiosk in self.kiosks:
            kiosk.store.close()
        self.two.close()


def lie(draw: st.DrawFn, hospital: Hospital, intent: Intent) -> Intent:
    """An intent with one other field."""
    sent = [each for chain in hospital.chains for each in chain.sent] + [intent]
    other = draw(st.sampled_from(sent))
    changes: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"patient_id": draw(st.sampled_from([*PATIENTS, STRANGER, f"card-{new_id()}"]))},
                {"provisional": not intent.provisional},
                {"visit_id": other.visit_id},
                {"queue_id": other.queue_id},
                {"action_id": other.action_id},
                {"queue_number": draw(st.sampled_from(["", "A-001", "A-002", "B-001", "C-001", "no number"]))},
                {"action_type": draw(st.sampled_from(ACTIONS))},
                {"site_day": draw(st.sampled_from(DAYS))},
                {"leg": draw(st.integers(0, 3))},
                {"base_version": draw(st.integers(0, 9))},
                {"journey_state": other.journey_state},
                {"appointment_ids": other.appointment_ids},
                {"binding_id": other.binding_id},
                {"card": other.card},
                {"definitions_version": draw(st.integers(0, 3))},
                {"payload": draw(st.sampled_from([{}, {"receipt_id": "R1"}, {"answer": other.seq}]))},
                {"exam_id": draw(st.sampled_from(["", "X", "E", "none"]))},
                {"site_id": "another"},
                {"epoch": 2},
            ]
        )
    )
    return msgspec.structs.replace(intent, **changes)


def at_the_kiosk(draw: st.DrawFn, hospital: Hospital) -> None:
    kiosk = hospital.kiosks[draw(st.integers(0, 1))]
    patient_id = draw(st.sampled_from(PATIENTS))
    match draw(st.sampled_from(["check_in", "check_in", "tap", "act", "unknown", "clock"])):
        case "check_in":
            kiosk.check_in(patient_id)
        case "tap":
            kiosk.tap(patient_id)
        case "act":
            kiosk.act(patient_id, draw(st.sampled_from(EVERYTHING)), receipt_id=draw(st.sampled_from(["R1", "R2"])))
        case "unknown":
            kiosk.check_in_unknown(draw(st.sampled_from([STRANGER, patient_id])))
        case "clock":
            kiosk.synchronised = not kiosk.synchronised
            kiosk.reboot()


def at_the_desk(draw: st.DrawFn, hospital: Hospital) -> None:
    one, other = draw(st.permutations(PATIENTS))[:2]
    states = st.sampled_from(["UNREGISTERED", "ARRIVED", "WAITING", "FINISHED"])
    action = draw(st.sampled_from(["call_patient", "start_exam", "complete_exam", "make_payment", "mark_no_show"]))
    state = draw(states)
    acts: dict[str, Callable[[Centre], object]] = {
        "act": lambda centre: centre.staff(action, one),
        "cancel": lambda centre: centre.staff("cancel_appointment", one),
        "correct": lambda centre: centre.correct(one, state),
        "merge": lambda centre: centre.merge(one, other),
        "bind": lambda centre: centre.bind_card(draw_card, other),
        "block": lambda centre: centre.block_card(one),
    }
    draw_card = draw(st.sampled_from([one, STRANGER]))
    hospital.two.both(acts[draw(st.sampled_from([*acts, "act", "act"]))])


def send(draw: st.DrawFn, hospital: Hospital) -> None:
    """Pushes all that was done at a kiosk, with repeats, lies and garbage among it."""
    number = draw(st.integers(0, 1))
    chain = hospital.chains[number]
    links = []
    for intent in hospital.new_intents(number):
        match draw(st.sampled_from(["honest"] * 8 + ["lie", "lie", "repeat", "garbage"])):
            case "lie":
                links.append(chain.follow(lie(draw, hospital, intent)))
            case "repeat":
                links.append(chain.follow(draw(st.sampled_from([*chain.sent, intent]))))
            case "garbage":
                links.append(chain.link({"seq": chain.seq + 1, "action_id": intent.action_id}))
        links.append(chain.follow(intent))
    if links:
        hospital.two.push(chain, links, hospital.kiosks[number])


@pytest.mark.timeout(3600 if LONG else 120)
@settings(max_examples=2000 if LONG else 40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_set_leaves_what_its_actions_leave_one_by_one(template: Path, data: st.DataObject):
    directory = template.with_name(new_id())
    directory.mkdir()
    hospital = Hospital(template, directory)
    draw = data.draw
    try:
        for happens in draw(st.lists(st.sampled_from("kkkkkkdpss+"), min_size=20, max_size=45)) + ["s"] * 2:
            match happens:
                case "k":
                    at_the_kiosk(draw, hospital)
                case "d":
                    at_the_desk(draw, hospital)
                case "p":
                    hospital.time.pass_minutes(draw(st.sampled_from([1, 7, 200])))
                case "+":
                    hospital.time.pass_minutes(draw(st.sampled_from([60, 24 * 60])))
                case _:
                    send(draw, hospital)
    finally:
        hospital.close()
        shutil.rmtree(directory)


# What one action of a batch learns of those before it.


def opened(sender: Sender, patient_id: str, number: str) -> list[Pushed]:
    """A patient's way from the card into the line, as the next links."""
    visit = {"visit_id": new_id(), "card": cards_of(patient_id)[0]}
    steps = [("scan_nfc", "UNREGISTERED", {}), ("register", "ARRIVED", {})]
    steps += [("confirm_arrival", "REGISTERED", {"queue_number": number, "exam_id": "X"})]
    return [
        sender.chained(sender.intent(action, patient_id, journey_state=state, **visit, **more))
        for action, state, more in steps
    ]


def test_a_number_that_comes_twice_in_a_batch_is_a_case(centre: Centre, sender: Sender):
    answer = sender.accepted(*opened(sender, "P1", "A-001"), *opened(sender, "P2", "A-001"))
    assert [row.code for row in answer.verdicts] == ["ok"] * 6
    assert centre.open_cases() == ["duplicate_number"]


def test_what_the_batch_itself_has_changed_is_no_change_by_others(centre: Centre, sender: Sender):
    """The last action is refused by the rules: had others changed the journey, it would only be superseded."""
    first, second, _ = opened(sender, "P1", "A-001")
    sender.seq, sender.head = 2, second.hash
    visit_id = msgspec.json.decode(first.body, type=Intent).visit_id
    odd = sender.intent("leave_hospital", visit_id=visit_id, card=cards_of("P1")[0], journey_state="REGISTERED")
    answer = sender.accepted(first, second, sender.chained(odd))
    assert [row.code for row in answer.verdicts] == ["ok", "ok", "not_allowed"]


def test_an_action_that_the_tables_cannot_take_is_set_aside_alone(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        centre.database.refuse(db, "insert", "transitions", "new.patient_id = 'P2'")
    links = [*opened(sender, "P1", "A-001"), *opened(sender, "P2", "A-002")]
    answer = sender.accepted(*links, *opened(sender, "P3", "A-003"))
    assert [row.code for row in answer.verdicts] == ["ok"] * 3 + ["quarantined", "depends", "depends"] + ["ok"] * 3
    assert len(centre.rows("select * from receipts")) == len(links) + 3
    assert len(centre.rows("select * from transitions")) == 2 * 3


def test_nothing_of_a_batch_stays_where_the_database_itself_fails(centre: Centre, sender: Sender):
    with centre.store.write() as db:
        db.execute("drop table effects")
    links = opened(sender, "P1", "A-001")
    with pytest.raises(sqlite3.OperationalError):
        sender.send(*links)
    assert centre.rows("select * from verdicts") == centre.rows("select * from receipts") == []


@pytest.mark.one_database
def test_a_batch_that_reading_ahead_does_not_help_stops_it(centre: Centre, sender: Sender):
    """Each of these actions is counted in the case of the first one, which ends what was read ahead."""
    statements: list[str] = []
    with centre.store.write() as db:
        db.connection.set_trace_callback(statements.append)
    numberless = [sender.chained(sender.intent(queue_number="none")) for _ in range(MAX_BATCH)]
    assert {row.code for row in sender.accepted(*numberless).verdicts} == {"quarantined"}
    with centre.store.write() as db:
        db.connection.set_trace_callback(None)
    assert sum("from verdicts where verdict_id in" in each for each in statements) == 5  # for 160, 80, 40, 20 and 10
