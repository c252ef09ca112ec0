"""A kiosk that lies: what it says of itself alone is believed, and the rest is set aside and changes nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sync.cards import CardHash
from sync.central.imports.parts import Kind
from sync.central.imports.portion import PortionRow, take_rows
from sync.central.kiosks.take_in import take_in
from sync.central.maintenance.backup import back_up
from sync.central.maintenance.housekeeping import close_days
from sync.central.records.site import read_site
from sync.ids import new_id, provisional_id
from sync.journey.model import PatientId, QueueEntry
from sync.protocol import (
    Code,
    PullAnswer,
    PullRequest,
    PushAnswer,
    Verdict,
    VerdictRow,
    canonical,
    chain_hash,
)
from sync.set_aside import SetAside, read_lines
from tests.sync.central.two_stores.acts import chained, intent_of, push, rewrite_last
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, Time, cards_of


def arrive(kiosk: Kiosk) -> None:
    """P1 is registered at the centre too, and the kiosk has given a number."""
    kiosk.tap("P1")
    kiosk.act("P1", "register")
    kiosk.sync()
    kiosk.act("P1", "confirm_arrival")


BY_ID = "its id for the holder of an unknown card is not one that a kiosk makes"
NO_NUMBER = "its queue number is none"
ANOTHERS_ID = "it would open a visit or an entry under an id that is another patient's"
ANOTHERS = "its queue number is another kiosk's, or the centre's"


def refused(centre: Centre, kiosk: Kiosk, **lies: object) -> str:
    """The reason for staff why the last action, with these lies in it, is set aside. The journeys stay as they were."""
    before = centre.rows("select * from journeys")
    with kiosk.store.write() as db:
        rewrite_last(db, **lies)
    kiosk.push()
    assert kiosk.last() == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert centre.rows("select * from journeys") == before
    assert centre.rows("select * from patient_aliases") == []
    (row,) = centre.rows("select reason from quarantine")
    return str(row["reason"])


def test_an_id_of_the_hospitals_form_does_not_become_another_name_of_a_cards_holder(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    lies = {"patient_id": "P9", "provisional": True, "card": cards_of("P1")[0], "binding_id": None}
    assert refused(centre, kiosk, **lies) == BY_ID
    (result,) = take_rows(centre.parts, [PortionRow(Kind.PATIENT, 1, {"patient_id": "P9", "name": "Sample Person"})])
    assert result.changed
    assert centre.journey("P9").appointments == ()


def test_a_document_names_no_patient_by_an_id_of_the_kiosks_form(centre: Centre):
    row = PortionRow(Kind.PATIENT, 1, {"patient_id": provisional_id(), "name": "Sample Person"})
    (result,) = take_rows(centre.parts, [row])
    assert "the form that kiosks give" in result.refused


def test_the_holder_of_a_card_that_only_the_centre_knows_is_found_by_an_id_of_the_kiosk(centre: Centre, kiosk: Kiosk):
    name = PatientId(provisional_id())
    kiosk.journeys.check_in_unknown(name, cards_of("P3"), "scan_nfc", new_id())
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    assert centre.rows("select alias_id, patient_id from patient_aliases") == [{"alias_id": name, "patient_id": "P3"}]


@pytest.mark.parametrize(
    "number",
    [
        "<script>alert(1)</script>",
        "\u202eA-001",
        "A-001 ",
        "a-001",
        "A-1",
        "A001",
        "A-000",
        "A-100000",
        "A-٠٠١",
        "VIP",
        "-001",
    ],
)
def test_a_queue_number_is_a_prefix_and_a_count(centre: Centre, kiosk: Kiosk, number: str):
    arrive(kiosk)
    assert refused(centre, kiosk, queue_number=number) == NO_NUMBER


@pytest.mark.parametrize("count", ["001", "99999"])
def test_the_first_and_the_last_count_of_a_day_are_numbers(centre: Centre, kiosk: Kiosk, count: str):
    arrive(kiosk)
    with kiosk.store.write() as db:
        rewrite_last(db, queue_number=f"A-{count}")
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_a_queue_number_is_no_other_kiosks(centre: Centre, kiosk: Kiosk):
    other = centre.enrol("H")
    arrive(kiosk)
    assert refused(centre, kiosk, queue_number=f"{other.ticket_prefix}-001") == ANOTHERS


def test_a_queue_number_is_not_the_centres(centre: Centre, kiosk: Kiosk):
    (site,) = centre.rows("select ticket_prefix from site")
    arrive(kiosk)
    assert refused(centre, kiosk, queue_number=f"{site['ticket_prefix']}-001") == ANOTHERS


def test_a_number_of_a_prefix_that_a_restore_has_lost_is_the_kiosks_own(centre: Centre, kiosk: Kiosk):
    arrive(kiosk)
    with kiosk.store.write() as db:
        rewrite_last(db, queue_number="QQ-017")
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


STRANGER = (Verdict.NEEDS_STAFF, Code.QUARANTINED, None, None, None)


def about(centre: Centre, kiosk: Kiosk, patient_id: str, **said: object) -> VerdictRow:
    """The verdict on a scan that the kiosk makes up about a patient, at the end of its chain."""
    chain = centre.rows("select last_seq, last_hash from chains where kiosk_id = 'kiosk-1'")
    (head,) = chain
    intent = intent_of(
        kiosk, seq=int(str(head["last_seq"])) + 1, action_id=new_id(), visit_id=new_id(), patient_id=patient_id
    )
    body = msgspec.structs.replace(intent, **said)
    answer = push(centre, kiosk, chained([body], str(head["last_hash"])))
    assert isinstance(answer, PushAnswer)
    (verdict,) = answer.verdicts
    return verdict


def pull_of(kiosk: Kiosk) -> PullRequest:
    """A pull of the changes since the kiosk's last page."""
    identity = kiosk.journeys.identity
    assert identity is not None
    return PullRequest(
        protocol_version=2,
        site_id=identity.site_id,
        kiosk_id=identity.kiosk_id,
        epoch=identity.epoch,
        cursor=identity.cursor,
        server_incarnation=identity.server_incarnation,
    )


def told(verdict: VerdictRow) -> tuple[object, ...]:
    """What a verdict tells a kiosk of a patient."""
    return (verdict.verdict, verdict.code, verdict.patient_id, verdict.visit_id, verdict.journey)


def test_an_id_alone_gets_no_answer_about_the_patient(centre: Centre, kiosk: Kiosk):
    before = centre.journey("P3")
    assert told(about(centre, kiosk, "P3")) == STRANGER
    assert (centre.journey("P3"), centre.open_cases()) == (before, ["not_named"])
    (row,) = centre.rows("select reason from quarantine")
    assert row["reason"] == "the centre never named its patient to a kiosk"


@pytest.mark.parametrize("said", [{"binding_id": new_id()}, {"card": CardHash("k1", "0" * 64)}, {"visit_id": "P1's"}])
def test_an_id_beside_ids_of_others_gets_no_answer_either(centre: Centre, kiosk: Kiosk, said: dict[str, object]):
    kiosk.tap("P1")
    kiosk.sync()
    journey = centre.journey("P1")
    said = {name: journey.visit_id if value == "P1's" else value for name, value in said.items()}
    assert told(about(centre, kiosk, "P3", **said)) == STRANGER


def test_what_staff_decide_about_a_stranger_tells_the_kiosk_as_much_as_they_decide(centre: Centre, kiosk: Kiosk):
    for how, verdict in (("discard", (Verdict.SUPERSEDED, Code.DISCARDED)), ("apply", (Verdict.APPLIED, Code.OK))):
        stranger = about(centre, kiosk, "P3")
        assert centre.settle(how, "not_named", reason="seen to").done
        page = centre.pull("kiosk-1", pull_of(kiosk))
        assert isinstance(page, PullAnswer)
        (revised,) = (each for each in page.verdicts if each.action_id == stranger.action_id)
        assert told(revised)[:2] == verdict
        assert (revised.patient_id, revised.journey is not None) == (("P3", True) if how == "apply" else (None, False))


def test_staff_may_reassign_an_action_about_a_stranger(centre: Centre, kiosk: Kiosk):
    about(centre, kiosk, "P3")
    assert centre.settle("reassign", "not_named", patient_id="P2").done
    assert (centre.journey("P2").state, centre.journey("P3").state) == ("ARRIVED", "UNREGISTERED")


def test_a_patient_of_todays_roster_is_no_stranger(centre: Centre, kiosk: Kiosk):
    assert about(centre, kiosk, "P1").verdict is Verdict.APPLIED


@pytest.mark.parametrize("is_ended", [False, True], ids=["in force", "ended"])
def test_the_id_of_a_binding_names_its_patient_without_the_card(centre: Centre, kiosk: Kiosk, is_ended: bool):
    (binding,) = centre.rows("select binding_id from bindings where patient_id = 'P3'")
    if is_ended:
        assert centre.end_bindings("P3").done
    assert about(centre, kiosk, "P3", binding_id=binding["binding_id"]).verdict is Verdict.APPLIED


def test_the_hash_of_a_card_names_its_holder_without_the_binding(centre: Centre, kiosk: Kiosk):
    assert about(centre, kiosk, "P3", card=cards_of("P3")[0]).verdict is Verdict.APPLIED


def test_a_visit_of_an_earlier_day_names_its_patient_by_itself(centre: Centre, kiosk: Kiosk):
    assert centre.staff("scan_nfc", "P3").done
    visit_id = centre.journey("P3").visit_id
    next_day(centre)
    assert about(centre, kiosk, "P3", visit_id=visit_id, action_type="register").code is not Code.QUARANTINED
    assert about(centre, kiosk, "P3").code is Code.QUARANTINED


def days_later(centre: Centre, kiosk: Kiosk, offline: Callable[[], object]) -> None:
    """The kiosk looks P3 up, goes on offline, and pushes three days later."""
    assert kiosk.look_up("P3")
    offline()
    centre.time.pass_minutes(3 * 24 * 60)
    kiosk.push()


def test_a_patient_whom_a_kiosk_has_looked_up_is_named_for_good(centre: Centre, kiosk: Kiosk):
    days_later(centre, kiosk, lambda: kiosk.tap("P3"))
    assert kiosk.last() == (Verdict.APPLIED, Code.LATE)


def test_a_card_that_staff_took_meanwhile_still_names_its_holder_of_then(centre: Centre, kiosk: Kiosk):
    def offline() -> None:
        kiosk.tap("P3")
        assert centre.end_bindings("P3").done

    days_later(centre, kiosk, offline)
    assert kiosk.last() == (Verdict.APPLIED, Code.LATE)


def test_a_record_that_was_merged_into_another_names_the_other(centre: Centre, kiosk: Kiosk):
    def offline() -> None:
        kiosk.tap("P3")
        assert centre.merge("P2", "P3").done

    days_later(centre, kiosk, offline)
    assert kiosk.last() == (Verdict.APPLIED, Code.LATE)


def test_a_press_without_a_card_is_named_by_the_visit_that_the_kiosk_opened(centre: Centre, kiosk: Kiosk):
    def offline() -> None:
        kiosk.tap("P3")
        kiosk.push()
        kiosk.act("P3", "register")

    days_later(centre, kiosk, offline)
    assert kiosk.last() == (Verdict.APPLIED, Code.LATE)


def next_day(centre: Centre) -> None:
    """A day later nobody is on a visit any more."""
    centre.time.pass_minutes(24 * 60)
    with centre.store.read() as db:
        today = read_site(db).day(centre.time())
    close_days(centre.parts, today)


def test_an_id_that_a_kiosk_has_made_names_the_patient_whom_staff_chose_for_it(centre: Centre, kiosk: Kiosk):
    name = PatientId(provisional_id())
    kiosk.journeys.check_in_unknown(name, cards_of("new"), "scan_nfc", None)
    kiosk.act(name, "register")
    kiosk.pusher.limit = 1
    kiosk.pusher.run_once()
    assert centre.settle("reassign", "unknown_card", patient_id="P3").done
    next_day(centre)
    kiosk.push()
    assert kiosk.last()[1] is not Code.QUARANTINED


def lose_card(centre: Centre, kiosk: Kiosk, backup: Path) -> None:
    """The kiosk takes P3 by a card that the desk has bound today, and the centre loses that binding in a restore."""
    assert centre.end_bindings("P3").done
    back_up(centre.store, backup)
    assert centre.bind_card("new", "P3").done
    assert kiosk.look_up("new")
    kiosk.tap("new")
    centre.restore(backup)


def test_a_patient_whom_a_restore_has_made_a_stranger_is_named_until_the_kiosk_has_sent_everything(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    lose_card(centre, kiosk, tmp_path / "backup.db")
    kiosk.pull()
    kiosk.sync()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    next_day(centre)
    assert told(about(centre, kiosk, "P3")) == STRANGER
    assert centre.rows("select kiosk_id from catching_up") == []


def test_a_tap_amid_the_snapshot_after_a_restore_names_a_patient_by_a_row_that_the_snapshot_will_end(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    assert centre.end_bindings("P3").done
    back_up(centre.store, tmp_path / "backup.db")
    assert centre.bind_card("new", "P3").done
    assert kiosk.look_up("new")
    centre.restore(tmp_path / "backup.db")
    kiosk.puller.rows = 1
    for _ in range(2):  # the second one tells that nothing is pending
        kiosk.puller.run_once()
    assert kiosk.tap("new")
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)
    kiosk.pull()
    assert centre.rows("select kiosk_id from catching_up") == []


def test_a_kiosk_that_is_enrolled_again_after_a_restore_still_names_the_patients_that_it_kept(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    lose_card(centre, kiosk, tmp_path / "backup.db")
    kiosk.ledger.enrol(centre.enrol("A", EVERYTHING, kept=1))
    kiosk.connect()
    kiosk.push()
    assert kiosk.last() == (Verdict.APPLIED, Code.OK)


def test_the_file_of_a_kiosk_that_a_restore_has_lost_names_the_patients_that_it_kept(
    centre: Centre, kiosk: Kiosk, tmp_path: Path
):
    before = tmp_path / "before.db"
    back_up(centre.store, before)
    lost = Kiosk(tmp_path / "lost.db", centre, "L", EVERYTHING)
    lost.pull()
    assert centre.end_bindings("P3").done
    assert centre.bind_card("new", "P3").done
    assert lost.look_up("new")
    lost.tap("new")
    assert lost.ledger.set_aside(tmp_path / "aside.jsonl")
    centre.restore(before)
    with centre.store.write() as db:
        (verdict,) = take_in(
            db, centre.parts, read_lines((tmp_path / "aside.jsonl").read_bytes().splitlines(True)).actions
        )
    assert (verdict.verdict, verdict.code) == (Verdict.APPLIED, Code.OK)


def test_a_file_of_a_kiosk_that_never_was_names_nobody_by_an_id(tmp_path: Path):
    """Only a restore can have lost a kiosk. Without one, a file of an unknown kiosk is made up."""
    centre = Centre(tmp_path / "centre.db", Time())
    kiosk = Kiosk(tmp_path / "kiosk.db", centre, "A", EVERYTHING)
    intent = intent_of(
        kiosk, kiosk_id="kiosk-X", seq=1, action_id=new_id(), visit_id=new_id(), patient_id="P3", card=None
    )
    body = canonical(intent)
    made_up = SetAside(
        place=1,
        of=1,
        site_id=intent.site_id,
        site="Hospital",
        kiosk_id="kiosk-X",
        epoch=1,
        seq=1,
        action_id=intent.action_id,
        body=base64.b64encode(body).decode(),
        digest=hashlib.sha256(body).hexdigest(),
        hash=chain_hash("", body),
    )
    with centre.store.write() as db:
        (verdict,) = take_in(db, centre.parts, [made_up])
    assert told(verdict) == STRANGER
    assert centre.open_cases() == ["not_named"]
    centre.store.close()


def entry_of(centre: Centre, kiosk: Kiosk) -> QueueEntry:
    """P1 waits in a line, by an honest kiosk."""
    arrive(kiosk)
    kiosk.sync()
    entry = centre.journey("P1").current
    assert entry is not None
    return entry


def test_a_visit_of_another_patient_is_opened_by_nobody_else(centre: Centre, kiosk: Kiosk):
    entry_of(centre, kiosk)
    before = centre.journey("P1")
    verdict = about(centre, kiosk, "P2", visit_id=before.visit_id)
    assert (verdict.verdict, verdict.code) == (Verdict.NEEDS_STAFF, Code.QUARANTINED)
    assert (centre.journey("P1"), centre.journey("P2").state) == (before, "UNREGISTERED")
    (row,) = centre.rows("select reason from quarantine")
    assert row["reason"] == ANOTHERS_ID


@pytest.mark.parametrize("is_by_card", [False, True], ids=["by their id", "by their card and an id of the kiosk"])
def test_a_patient_opens_their_own_visit_again(centre: Centre, kiosk: Kiosk, is_by_card: bool):
    kiosk.tap("P1")
    kiosk.sync()
    visit_id = centre.journey("P1").visit_id
    by_card = {"provisional": True, "card": cards_of("P1")[0]} if is_by_card else {}
    named = provisional_id() if is_by_card else "P1"
    assert told(about(centre, kiosk, named, visit_id=visit_id, **by_card))[:2] == (Verdict.MERGED, Code.ALREADY_SO)


def test_an_id_of_nobody_opens_no_visit_of_the_holder_of_its_card(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    """A restore may have lost the patient of the id, so the id itself is believed."""
    kiosk.tap("P1")
    kiosk.sync()
    back_up(centre.store, tmp_path / "backup.db")
    centre.restore(tmp_path / "backup.db")
    about(centre, kiosk, "P9", visit_id=centre.journey("P1").visit_id, card=cards_of("P1")[0])
    (row,) = centre.rows("select reason from quarantine")
    assert row["reason"] == ANOTHERS_ID


def test_another_name_of_a_visit_is_no_row_that_an_opening_could_break(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    other.tap("P1")
    kiosk.sync()
    other.sync()
    (alias,) = centre.rows("select alias_id from visit_aliases")
    before = centre.journey("P1")
    assert about(centre, kiosk, "P2", visit_id=alias["alias_id"]).code is not Code.QUARANTINED
    assert centre.journey("P1") == before


def test_an_action_that_opens_no_entry_may_name_anothers(centre: Centre, kiosk: Kiosk):
    """It opens nothing that could break: the rules judge it."""
    entry = entry_of(centre, kiosk)
    before = centre.journey("P1")
    verdict = about(centre, kiosk, "P2", action_type="leave_hospital", queue_id=entry.queue_id)
    assert (verdict.verdict, verdict.code) == (Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)
    assert centre.journey("P1") == before


def test_an_entry_of_another_patient_is_opened_by_nobody_else(centre: Centre, kiosk: Kiosk):
    entry = entry_of(centre, kiosk)
    before = centre.journey("P1")
    kiosk.tap("P2")
    kiosk.act("P2", "register")
    kiosk.sync()
    kiosk.act("P2", "confirm_arrival")
    assert refused(centre, kiosk, queue_id=entry.queue_id) == ANOTHERS_ID
    assert centre.journey("P1") == before


def test_an_id_of_nobody_gets_the_answer_of_a_strangers(centre: Centre, kiosk: Kiosk):
    assert told(about(centre, kiosk, "P9")) == STRANGER
    assert centre.open_cases() == ["not_named"]
    assert centre.settle("apply", "not_named").status == 409
    assert centre.settle("reassign", "not_named", patient_id="P2").done
    assert centre.journey("P2").state == "ARRIVED"


def test_an_action_of_an_unknown_kind_opens_nothing(centre: Centre, kiosk: Kiosk):
    entry = entry_of(centre, kiosk)
    verdict = about(centre, kiosk, "P2", action_type="nothing", queue_id=entry.queue_id)
    assert (verdict.verdict, verdict.code) == (Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)


def test_an_action_waits_in_no_case_about_another_kiosks_action(centre: Centre, kiosk: Kiosk, other: Kiosk):
    """The other kiosk's action waits in a visit. This one names that visit for another patient."""
    other.tap("P1")
    other.sync()
    other.act("P1", "register")
    with other.store.write() as db:
        rewrite_last(db, card=cards_of("P2")[0])
    other.push()
    assert centre.open_cases() == ["rebound"]
    visit_id = centre.journey("P1").visit_id
    kiosk.pull()
    verdict = about(centre, kiosk, "P2", action_type="register", visit_id=visit_id)
    assert (verdict.verdict, verdict.code) == (Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)
    assert centre.open_cases() == ["rebound", "not_allowed"]
    assert len(centre.rows("select distinct exception_id from waiting")) == 2


def test_an_action_waits_in_no_case_about_another_patients_action(centre: Centre, kiosk: Kiosk):
    """The kiosk names the visit of one patient in an action of another, where its own earlier action waits."""
    kiosk.tap("P1")
    kiosk.sync()
    kiosk.act("P1", "register")
    with kiosk.store.write() as db:
        rewrite_last(db, card=cards_of("P2")[0])
    kiosk.push()
    assert centre.open_cases() == ["rebound"]
    visit_id = centre.journey("P1").visit_id
    verdict = about(centre, kiosk, "P2", action_type="register", visit_id=visit_id)
    assert (verdict.verdict, verdict.code) == (Verdict.NEEDS_STAFF, Code.NOT_ALLOWED)
    assert len(centre.rows("select distinct exception_id from waiting")) == 2


def test_what_waits_at_one_kiosk_holds_up_no_action_of_another(centre: Centre, kiosk: Kiosk, other: Kiosk):
    kiosk.tap("P1")
    kiosk.sync()
    other.pull()
    kiosk.act("P1", "register")
    other.act("P1", "register")
    with other.store.write() as db:
        rewrite_last(db, action_type="leave_hospital")
    other.push()
    assert other.last()[0] is Verdict.NEEDS_STAFF
    assert centre.staff("register", "P1").done
    kiosk.push()
    assert kiosk.last() == (Verdict.MERGED, Code.ALREADY_SO)
