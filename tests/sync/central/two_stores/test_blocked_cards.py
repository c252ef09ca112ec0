"""Cards that were reported lost: they open nobody at a kiosk that has pulled, and wait for staff at any other."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kiosk.journey.journeys import BLOCKED_CARD, ActionOutcome
from kiosk.store import patients
from sync.central.imports.whole import DocumentError, read_hospital, take_hospital
from sync.central.maintenance.backup import back_up
from sync.central.services.answers import Answer
from sync.journey.model import PatientId
from tests.sync.central.two_stores.acts import verdicts
from tests.sync.central.wire import EVERYTHING, Centre, Kiosk, Time, cards_of, uid

DAY_MINUTES = 24 * 60


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, msgspec.json.decode(answer.body)["code"]


def is_blocked(kiosk: Kiosk, card: str) -> bool:
    with kiosk.store.read() as db:
        return patients.find_card(db, cards_of(card)).is_blocked


def take(centre: Centre, document: dict[str, object]) -> int:
    """Imports a document. Returns the number of cards that it bound."""
    with centre.store.write() as db:
        return take_hospital(db, centre.definitions, centre.parts.keys, read_hospital(document), centre.time()).cards


def test_a_blocked_card_opens_nobody_after_the_next_pull(centre: Centre, kiosk: Kiosk):
    assert centre.block_card("P1").done
    kiosk.pull()
    assert kiosk.tap("P1") is BLOCKED_CARD
    assert kiosk.parts.patient_of_card(cards_of("P1")) is None
    assert kiosk.statuses() == []
    assert kiosk.base("P1") is not None, "the patient is still expected, with another card"


def test_a_blocked_card_that_nobody_holds_cannot_check_in_as_an_unknown_one(centre: Centre, kiosk: Kiosk):
    assert centre.block_card("new").done
    kiosk.pull()
    assert kiosk.tap("new") is BLOCKED_CARD
    assert kiosk.check_in_unknown("new") is BLOCKED_CARD
    assert kiosk.statuses() == []


def test_a_person_known_by_the_card_alone_is_cut_off_when_it_is_blocked(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    assert centre.block_card("new").done
    kiosk.pull()
    assert kiosk.tap("new") is BLOCKED_CARD
    assert kiosk.journeys.current_patient(done.patient_id, cards_of("new")) is None
    assert kiosk.journeys.act(done.patient_id, "register", None, {}, cards_of("new")).refusal is not None


def test_a_person_whom_the_centre_has_named_since_the_tap_is_cut_off_too(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("P3")
    assert isinstance(done, ActionOutcome)
    kiosk.push()
    assert kiosk.journeys.current_patient(done.patient_id, cards_of("P3")) == "P3"
    centre.block_card("P3")
    kiosk.pull()
    assert kiosk.journeys.current_patient(done.patient_id, cards_of("P3")) is None


def test_an_unblocked_card_is_unknown_until_it_is_bound_again(centre: Centre, kiosk: Kiosk):
    centre.block_card("P1")
    kiosk.pull()
    assert centre.unblock_card("P1").done
    kiosk.pull()
    assert kiosk.tap("P1") is None
    assert centre.bind_card("P1", "P1").done
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P1"


def test_case_7_a_card_blocked_meanwhile_waits_for_staff_and_touches_nobody(centre: Centre, kiosk: Kiosk):
    kiosk.check_in("P1")
    centre.block_card("P1")
    kiosk.push()
    assert verdicts(kiosk) == [("needs_staff", "blocked_card")] + [("needs_staff", "depends")] * 2
    assert centre.journey("P1").state == "UNREGISTERED"
    assert centre.open_cases() == ["blocked_card"]
    assert kiosk.parts.patient_of_card(cards_of("P1")) is None, "before the next pull"
    assert centre.settle("apply").done
    kiosk.pull()
    assert verdicts(kiosk)[0] == ("applied", "ok")
    assert centre.journey("P1").state == "WAITING"


def test_case_7_a_blocked_card_that_a_kiosk_does_not_know_is_no_unknown_card(centre: Centre, kiosk: Kiosk):
    centre.block_card("new")
    kiosk.check_in_unknown("new")
    kiosk.sync()
    assert verdicts(kiosk) == [("needs_staff", "blocked_card")]
    assert kiosk.tap("new") is BLOCKED_CARD


def test_a_blocked_card_can_be_bound_in_no_way(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    centre.block_card("new")
    assert refused(centre.bind_card("new", "P3")) == (409, "card_blocked")
    assert refused(centre.settle("reassign", patient_id="P3", bind=True)) == (409, "card_blocked")
    with pytest.raises(DocumentError, match="P3: card 1 is blocked: it was reported lost"):
        take(centre, {"patients": [{"patient_id": "P3", "name": "Person P3", "cards": [uid("new").hex()]}]})
    assert centre.rows("select count(*) as n from bindings where patient_id = 'P3'") == [{"n": 1}]
    assert centre.open_cases() == ["unknown_card"]
    assert centre.settle("reassign", patient_id="P3").done, "the visit counts, without the card"


def test_the_old_document_of_the_hospital_does_not_bind_a_blocked_card_again(centre: Centre):
    centre.block_card("P1")
    assert take(centre, {"patients": [{"patient_id": "P1", "name": "Person P1", "cards": [uid("P1").hex()]}]}) == 0


def test_a_card_is_blocked_once_and_unblocked_once(centre: Centre):
    assert centre.block_card("P1").done
    assert refused(centre.block_card("P1")) == (409, "card_blocked")
    assert centre.unblock_card("P1").done
    assert refused(centre.unblock_card("P1")) == (400, "not_allowed")


def test_a_block_and_its_end_wake_the_pulls_that_wait(centre: Centre):
    for change in (centre.block_card, centre.unblock_card):
        with centre.store.read() as db:
            before = db.latest_change()
        assert change("new").done
        assert centre.store.news.latest > before, "a pull that waits would sleep on"


def test_a_snapshot_brings_the_blocked_cards_and_lifts_the_others(centre: Centre, kiosk: Kiosk):
    for card in ("P1", "new"):
        centre.block_card(card)
    kiosk.pull()
    with centre.store.write() as db:  # the kiosk never hears of this change
        db.execute("update card_blocks set end_ms = 1 where change = (select max(change) from card_blocks)")
    centre.time.pass_minutes(DAY_MINUTES)
    kiosk.pull()
    assert (is_blocked(kiosk, "P1"), is_blocked(kiosk, "new")) == (True, False)


@pytest.mark.parametrize("days", [0, 1])
def test_more_blocked_cards_than_a_page_holds_come_in_several(tmp_path: Path, days: int):
    centre = Centre(tmp_path / "centre.db", Time(), page=1)
    kiosk = Kiosk(tmp_path / "A.db", centre, "A", EVERYTHING)
    kiosk.pull()
    lost = [f"lost-{number}" for number in range(45)]
    for card in lost:
        assert centre.block_card(card).done
    assert centre.unblock_card(lost[0]).done
    centre.time.pass_minutes(days * DAY_MINUTES)
    kiosk.pull()
    assert [is_blocked(kiosk, card) for card in lost] == [False] + [True] * 44


def test_a_block_that_a_restored_centre_does_not_have_is_lifted(centre: Centre, kiosk: Kiosk, tmp_path: Path):
    back_up(centre.store, tmp_path / "backup.db")
    centre.block_card("P1")
    kiosk.pull()
    assert is_blocked(kiosk, "P1")
    centre.restore(tmp_path / "backup.db")
    kiosk.pull()
    assert not is_blocked(kiosk, "P1")
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P1"


def test_a_card_under_two_keys_is_blocked_under_both(centre: Centre, kiosk: Kiosk):
    with centre.store.write() as db:
        row = db.row("select binding_id from bindings where patient_id = 'P1'")
        assert row is not None
        db.execute("insert into binding_hashes values ('k0', 'of the older key', :id)", {"id": row["binding_id"]})
    centre.block_card("P1")
    kiosk.pull()
    with kiosk.store.read() as db:
        held = [tuple(row) for row in db.execute("select key_id from blocked_cards order by key_id")]
    assert held == [("k0",), ("k1",)]


# A case that binds.


def test_a_case_binds_its_card_and_the_other_actions_of_that_card_are_judged(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    for each in (kiosk, other):
        each.check_in_unknown("new")
        each.sync()
    assert centre.open_cases() == ["unknown_card", "unknown_card"]
    answer = centre.settle("reassign", patient_id="P3", bind=True)
    assert answer.done, answer.body
    assert centre.open_cases() == []
    for each in (kiosk, other):
        each.pull()
        assert each.parts.patient_of_card(cards_of("new")) == "P3"
        assert each.base("P3") == centre.journey("P3")
    assert (verdicts(kiosk), verdicts(other)) == ([("applied", "ok")], [("merged", "visit_alias")])
    binding_id = msgspec.json.decode(answer.body)["binding_id"]
    (made,) = centre.rows("select origin, bound_by from bindings where binding_id = :id", id=binding_id)
    assert made == {"origin": "case", "bound_by": "desk"}
    (settled,) = centre.rows("select settlement from exceptions where settlement like '%reassign%'")
    assert msgspec.json.decode(str(settled["settlement"]))["binding_id"] == binding_id


def test_a_case_without_bind_leaves_the_card_as_it_is(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    answer = centre.settle("reassign", patient_id="P3")
    assert msgspec.json.decode(answer.body)["binding_id"] is None
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("new")) is None


def test_a_case_about_a_card_of_another_takes_it_back(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P2")
    centre.bind_card("P2", "P3")
    kiosk.sync()
    assert centre.open_cases() == ["rebound"]
    assert centre.settle("reassign", patient_id="P2", bind=True).done
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("P2")) == "P2"
    assert centre.journey("P2").state == "ARRIVED"


def test_a_case_without_a_card_binds_nothing(centre: Centre, kiosk: Kiosk):
    kiosk.journeys.act("P1", "scan_nfc", None, {})
    centre.merge("P2", "P1")
    with centre.store.write() as db:
        db.execute("delete from patient_aliases")
    kiosk.push()
    assert centre.open_cases() == ["not_named"]
    assert refused(centre.settle("reassign", patient_id="P2", bind=True)) == (409, "not_applicable")
    assert centre.open_cases() == ["not_named"]


def test_a_case_with_two_cards_binds_neither(centre: Centre, kiosk: Kiosk):
    done = kiosk.check_in_unknown("new")
    kiosk.journeys.act(done.patient_id, "register", None, {}, cards_of("newer"))
    kiosk.sync()
    before = centre.rows("select * from bindings")
    answer = centre.settle("reassign", patient_id="P3", bind=True)
    assert "several cards" in msgspec.json.decode(answer.body)["error"]
    assert centre.rows("select * from bindings") == before
    assert centre.open_cases() == ["unknown_card"]


def test_a_case_of_an_unknown_card_says_what_to_do_instead_of_apply(centre: Centre, kiosk: Kiosk):
    kiosk.check_in_unknown("new")
    kiosk.sync()
    answer = centre.settle("apply")
    assert refused(answer) == (409, "not_applicable")
    assert "Reassign the case" in msgspec.json.decode(answer.body)["error"]


# A binding that ended.


def test_an_ended_binding_leaves_the_card_unknown_after_the_next_pull(centre: Centre, kiosk: Kiosk):
    assert centre.end_bindings("P1").done
    kiosk.pull()
    assert kiosk.tap("P1") is None


def test_an_ended_binding_clears_the_kiosk_and_leaves_earlier_actions_the_patients(centre: Centre, kiosk: Kiosk):
    kiosk.tap("P1")
    assert centre.end_bindings("P1").done
    kiosk.push()
    assert verdicts(kiosk) == [("applied", "ok")]
    kiosk.pull()
    assert kiosk.journeys.current_patient(PatientId("P1"), cards_of("P1")) is None
    assert kiosk.tap("P1") is None, "the card is unknown"
    assert centre.bind_card("P1", "P2").done
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("P1")) == "P2"
