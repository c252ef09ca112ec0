"""Each refusal of a kiosk is a case. Repeats that staff cannot apply are counted in one. All can be discarded."""

from __future__ import annotations

import msgspec
import pytest

from sync.central.commands.portions import in_portions
from sync.central.kiosks.enrolment import enrol_kiosk, new_code
from sync.central.kiosks.quarantine import MOST_IN_A_CASE
from sync.central.kiosks.refusals import report_refusal
from sync.central.records.cases import NewCase, open_case
from sync.control import ControlError
from sync.ids import new_id
from sync.protocol import NO_HASH, CallRefused, Code, EndCode, Enrolment, EnrolRequest, PullRequest, PushAnswer, Verdict
from tests.sync.central.two_stores.acts import chained, intent_of, push
from tests.sync.central.two_stores.undoing import REASON, call, kiosk_id, undo
from tests.sync.central.wire import Centre, Kiosk


def cases(centre: Centre, code: str) -> list[dict[str, object]]:
    query = "select * from exceptions where code = :code and settled_ms is null"
    rows = centre.rows(f"{query} order by opened_ms, kiosk_id, count desc", code=code)
    return [{**row, "detail": msgspec.json.decode(str(row["detail"]))} for row in rows]


def lie(centre: Centre, kiosk: Kiosk, numbers: range, head: str = NO_HASH, **lies: object) -> str:
    """Pushes actions with a lie in each. Returns the head of the chain."""
    bodies = [intent_of(kiosk, seq=number, action_id=new_id(), **lies) for number in numbers]
    pushed = chained(bodies, head)
    answer = push(centre, kiosk, pushed)
    assert isinstance(answer, PushAnswer)
    assert {row.code for row in answer.verdicts} == {Code.QUARANTINED}
    return pushed[-1].hash


def test_a_claim_that_is_refused_again_and_again_is_one_case_that_counts(centre: Centre, kiosk: Kiosk):
    opened = centre.time()
    head = lie(centre, kiosk, range(1, 4), queue_number="<script>")
    centre.time.pass_minutes(5)
    head = lie(centre, kiosk, range(4, 6), head, queue_number="<b>")
    (case,) = cases(centre, "quarantined")
    assert (case["count"], case["opened_ms"], case["last_ms"]) == (5, opened, centre.time())
    lie(centre, kiosk, range(6, 7), head, queue_number="C-001")
    assert [case["count"] for case in cases(centre, "quarantined")] == [5, 1], "another lie is another case"


def test_another_kiosks_lies_are_another_case(centre: Centre, kiosk: Kiosk, other: Kiosk):
    lie(centre, kiosk, range(1, 2), queue_number="<b>")
    lie(centre, other, range(1, 2), queue_number="<b>")
    assert [case["kiosk_id"] for case in cases(centre, "quarantined")] == [kiosk_id(kiosk), kiosk_id(other)]


def test_a_lie_after_its_case_was_settled_is_a_new_case(centre: Centre, kiosk: Kiosk):
    head = lie(centre, kiosk, range(1, 3), queue_number="<b>")
    assert centre.settle("discard", reason="seen").done
    lie(centre, kiosk, range(3, 4), head, queue_number="<b>")
    assert [case["count"] for case in cases(centre, "quarantined")] == [1]


def test_a_case_is_settled_with_all_that_it_has_counted(centre: Centre, kiosk: Kiosk):
    head = lie(centre, kiosk, range(1, 4), queue_number="<b>")
    assert centre.settle("discard", reason="seen").done
    rows = centre.rows("select verdict, code from verdicts where revision = 1")
    assert rows == [{"verdict": "superseded", "code": "discarded"}] * 3
    assert head


def test_a_kiosk_hears_of_each_action_of_a_case_under_its_own_id(centre: Centre, kiosk: Kiosk):
    used = intent_of(kiosk, seq=1)
    first = chained([used])
    push(centre, kiosk, first)
    bodies = [intent_of(kiosk, seq=seq, leg=seq) for seq in (2, 3)]  # the id comes again with another content
    push(centre, kiosk, chained(bodies, first[-1].hash))
    (case,) = cases(centre, "quarantined")
    assert case["count"] == 2
    assert centre.settle("discard", code="quarantined", reason="seen").done
    page = centre.pull(kiosk_id(kiosk), _pull(centre, kiosk))
    assert not isinstance(page, CallRefused)
    assert [(row.action_id, row.seq, row.code) for row in page.verdicts] == [
        (used.action_id, seq, Code.DISCARDED) for seq in (2, 3)
    ]


def _pull(centre: Centre, kiosk: Kiosk, **more: object) -> PullRequest:
    fields = {"protocol_version": 2, "site_id": centre.site_id, "kiosk_id": kiosk_id(kiosk), "epoch": 1, "cursor": 0}
    return PullRequest(**(fields | more))  # type: ignore[arg-type]


def test_a_case_takes_no_more_than_staff_can_discard_in_one_transaction(centre: Centre, kiosk: Kiosk):
    head = NO_HASH
    for first in range(1, MOST_IN_A_CASE + 2, 100):
        head = lie(centre, kiosk, range(first, min(first + 100, MOST_IN_A_CASE + 2)), head, queue_number="<b>")
    assert sorted(int(str(case["count"])) for case in cases(centre, "quarantined")) == [1, MOST_IN_A_CASE]


def test_what_staff_may_still_apply_stays_a_case_of_its_own(centre: Centre, kiosk: Kiosk):
    for card in ("one", "two"):
        kiosk.check_in_unknown(card)
    kiosk.sync()
    assert [case["count"] for case in cases(centre, "unknown_card")] == [1, 1]


def test_a_made_up_cursor_is_counted_each_time(centre: Centre, kiosk: Kiosk):
    for _ in range(3):
        request = _pull(centre, kiosk, cursor=10**9, server_incarnation=_incarnation(centre))
        refused = centre.pull(kiosk_id(kiosk), request)
        assert isinstance(refused, CallRefused)
        assert refused.code is EndCode.BAD_CURSOR
    (case,) = cases(centre, "bad_cursor")
    assert case["count"] == 3


def _incarnation(centre: Centre) -> str:
    (row,) = centre.rows("select server_incarnation from incarnation")
    return str(row["server_incarnation"])


def test_a_refused_call_is_counted_by_call_and_reason(centre: Centre, kiosk: Kiosk):
    for call_name, code in (("push", EndCode.NOT_KNOWN), ("push", EndCode.NOT_KNOWN), ("pull", EndCode.OTHER_SITE)):
        report_refusal(centre.parts, kiosk_id(kiosk), call_name, CallRefused(code=code, error="no"))
    told = [(case["detail"], case["count"], case["kiosk_id"]) for case in cases(centre, "call_refused")]
    assert told == [
        ({"call": "push", "why": "not_known"}, 2, kiosk_id(kiosk)),
        ({"call": "pull", "why": "other_site"}, 1, kiosk_id(kiosk)),
    ]


@pytest.mark.parametrize("code", [EndCode.GAP, EndCode.FORK, EndCode.BAD_CURSOR, EndCode.REPLACED, EndCode.ENDED])
def test_a_refusal_that_has_a_case_of_its_own_or_tells_nothing_is_not_counted_twice(
    centre: Centre, kiosk: Kiosk, code: EndCode
):
    report_refusal(centre.parts, kiosk_id(kiosk), "push", CallRefused(code=code, error="no"))
    assert centre.open_cases() == []


def test_a_kiosk_that_asked_for_more_than_its_code_grants_is_a_case(centre: Centre):
    with centre.store.write() as db:
        code = new_code(db, centre.time())
    wish = ("entrance", "make_payment", "leave_hospital", "call_patient")
    made = enrol_kiosk(centre.parts, EnrolRequest(code=code, actions=wish), "192.0.2.1")
    assert isinstance(made, Enrolment)
    (case,) = cases(centre, "grants_cut")
    assert case["kiosk_id"] == made.kiosk_id
    granted = ["scan_nfc", "register", "confirm_arrival"]
    assert case["detail"] == {"granted": granted, "not_granted": ["make_payment", "leave_hospital"], "unknown": 1}


def test_a_kiosk_that_gets_what_it_asked_for_is_no_case(centre: Centre):
    for wish in ((), ("entrance",), ("scan_nfc",)):
        with centre.store.write() as db:
            code = new_code(db, centre.time())
        assert isinstance(enrol_kiosk(centre.parts, EnrolRequest(code=code, actions=wish), "192.0.2.1"), Enrolment)
    assert centre.open_cases() == []


def test_refused_enrolments_are_counted_by_their_code(centre: Centre):
    for _ in range(2):
        assert isinstance(enrol_kiosk(centre.parts, EnrolRequest(code="AAAAA-AAAAA"), "192.0.2.1"), CallRefused)
    kept = EnrolRequest(code="AAAAA-AAAAA", site_id="another", kept=1)
    assert isinstance(enrol_kiosk(centre.parts, kept, "192.0.2.1"), CallRefused)
    told = [(case["kiosk_id"], case["count"], case["detail"]["from"]) for case in cases(centre, "enrolment_refused")]  # type: ignore[index]
    assert told == [(None, 2, "192.0.2.1"), (None, 1, "192.0.2.1")]


def discard(centre: Centre, kiosk: Kiosk, *, trial: bool = False) -> dict[str, int]:
    """`exceptions discard`: the counts."""
    period = call(centre, "kiosk-cases", kiosk_id=kiosk_id(kiosk), reason=REASON)
    common = {"period": period, "reason": REASON, "with_reports": True, "trial": trial}

    def ask(op: str, **arguments: object) -> object:
        return call(centre, op, **arguments)

    return dict(in_portions(ask, "kiosk-cases-discard", "cases", common))


def test_all_cases_of_a_kiosk_are_discarded_but_those_that_staff_have_to_decide(
    centre: Centre, kiosk: Kiosk, other: Kiosk
):
    kiosk.tap("P1")
    kiosk.sync()
    assert centre.staff("register", "P1").done
    undo(centre, kiosk)
    centre.time.pass_minutes(1)
    kiosk.pull()
    kiosk.check_in_unknown("a card")
    kiosk.sync()
    report_refusal(centre.parts, kiosk_id(kiosk), "pull", CallRefused(code=EndCode.MALFORMED, error="no"))
    other.check_in_unknown("another card")
    other.sync()
    wanted = {"cases_to_decide": 1, "cases_discarded": 2}
    assert discard(centre, kiosk, trial=True) == wanted
    assert len(centre.open_cases()) == 4
    assert discard(centre, kiosk) == wanted
    assert sorted(centre.open_cases()) == ["not_taken_back", "unknown_card"]
    kiosk.pull()
    assert kiosk.last() == (Verdict.SUPERSEDED, Code.DISCARDED)


def test_many_cases_are_discarded_in_several_calls(centre: Centre, kiosk: Kiosk):
    with centre.store.write() as db:
        for number in range(51):
            open_case(db, new_id(), NewCase("fork", kiosk_id(kiosk), {"epoch": number}), centre.time())
    assert discard(centre, kiosk) == {"cases_discarded": 51}
    assert centre.open_cases() == []


@pytest.mark.parametrize(
    ("kiosk_name", "reason", "why"), [("nobody", "x", "no such kiosk"), (None, " ", "reason must be")]
)
def test_an_order_to_discard_that_means_nothing_is_refused(
    centre: Centre, kiosk: Kiosk, kiosk_name: str | None, reason: str, why: str
):
    with pytest.raises(ControlError, match=why):
        call(centre, "kiosk-cases", kiosk_id=kiosk_name or kiosk_id(kiosk), reason=reason)
