"""Pull: pages in the order of changes, a snapshot where it is due, and calls that wait for news."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.central.imports.parts import SitePart
from sync.central.imports.take_site import take_site
from sync.central.imports.whole import read_hospital, take_hospital
from sync.central.kiosks.pull import PullService
from sync.central.maintenance.card_rotation import begin_rotation, walk_on
from sync.central.maintenance.incarnation import begin_new_incarnation
from sync.central.records.bindings import bind
from sync.central.records.journeys import mark_changed
from sync.ids import new_id
from sync.protocol import MAX_PAGE_ROWS, CallRefused, EndCode, PullAnswer, PullRequest
from tests.sync.central.wire import BY_STAFF, EVERYTHING, Centre, Kiosk, Time, cards_of

LONG_WAIT_S = 30.0
DAY_MINUTES = 24 * 60


def pull(centre: Centre, cursor: int = 0, kiosk_id: str = "kiosk-1", **changes: Any) -> PullAnswer:
    answer = refused_or_not(centre, cursor, kiosk_id, **changes)
    assert isinstance(answer, PullAnswer)
    return answer


def refused_or_not(
    centre: Centre, cursor: int = 0, kiosk_id: str = "kiosk-1", **changes: Any
) -> PullAnswer | CallRefused:
    fields: dict[str, Any] = {"protocol_version": 2, "kiosk_id": kiosk_id, "epoch": 1, "cursor": cursor}
    fields |= {"site_id": centre.site_id, "server_incarnation": "first", "definitions_version": 1}
    return centre.pull(kiosk_id, PullRequest(**(fields | changes)))


def ids(answer: PullAnswer) -> list[str]:
    return [row.patient_id for row in answer.patients]


def book(centre: Centre, patient_id: str, at: str, appointment_id: str = "A9") -> None:
    document = {
        "appointments": [
            {"appointment_id": appointment_id, "patient_id": patient_id, "exam_id": "X", "scheduled_at": at}
        ]
    }
    with centre.store.write() as db:
        take_hospital(db, centre.definitions, centre.parts.keys, read_hospital(document), centre.time())


def test_the_first_pull_is_a_snapshot_of_the_roster(centre: Centre):
    centre.enrol()
    answer = pull(centre)
    assert (answer.reset, answer.from_cursor, answer.more) == (True, 0, False)
    assert sorted(ids(answer)) == ["P1", "P2"]
    row = next(row for row in answer.patients if row.patient_id == "P1")
    assert row.journey == centre.journey("P1")
    assert row.masked_name == "P****n P*"
    assert [(b.key_id, b.uid_hash) for b in row.bindings] == [(c.key_id, c.uid_hash) for c in cards_of("P1")]
    assert row.language == "ko"
    assert answer.site.name == "Test"
    assert answer.site.walk_in.exam_id == "DESK"
    assert answer.now_ms == centre.time()
    assert answer.definitions is None
    assert answer.actions == ("scan_nfc", "register", "confirm_arrival")


def test_a_row_holds_no_more_than_a_screen_needs(centre: Centre):
    centre.enrol()
    text = msgspec.json.encode(pull(centre)).decode()
    assert "Person" not in text
    assert "X-ray" not in text
    assert "chest" not in text


def test_definitions_come_where_the_kiosks_version_differs(centre: Centre):
    centre.enrol()
    assert pull(centre, definitions_version=0).definitions == dict(centre.definitions.document)


def test_a_patient_booked_tomorrow_is_on_the_roster_with_that_booking_alone(centre: Centre):
    centre.enrol()
    book(centre, "P3", "2026-03-03T09:00")
    row = next(row for row in pull(centre).patients if row.patient_id == "P3")
    assert row.journey.appointments == ()
    assert [a.appointment_id for a in row.tomorrow] == ["A9"]


def test_a_patient_on_a_visit_without_a_booking_is_on_the_roster_until_they_leave(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    centre.staff("scan_nfc", "P3")
    answer = pull(centre, cursor)
    assert (ids(answer), answer.reset, answer.from_cursor) == (["P3"], False, cursor)
    actions = ("register", "confirm_arrival", "call_patient", "start_exam", "complete_exam")
    for action in (*actions, "make_payment", "make_payment", "leave_hospital"):
        assert centre.staff(action, "P3").done
    answer = pull(centre, answer.cursor)
    assert (ids(answer), answer.gone) == ([], ("P3",))


def test_a_cursor_of_another_day_gets_a_snapshot_of_the_new_one(centre: Centre):
    centre.enrol()
    book(centre, "P3", "2026-03-03T09:00")
    cursor = pull(centre).cursor
    centre.time.pass_minutes(DAY_MINUTES)
    answer = pull(centre, cursor)
    assert (answer.reset, answer.from_cursor) == (True, 0)
    assert ids(answer) == ["P3"]
    assert [a.appointment_id for a in answer.patients[0].journey.appointments] == ["A9"]
    assert answer.patients[0].journey.site_day == "2026-03-03"
    again = pull(centre, answer.cursor)
    assert (again.reset, ids(again), again.cursor) == (False, [], answer.cursor)


def test_an_unclosed_visit_does_not_put_a_patient_on_the_next_days_roster(centre: Centre):
    centre.enrol()
    centre.staff("scan_nfc", "P3")
    pull(centre)
    centre.time.pass_minutes(DAY_MINUTES)
    assert "P3" not in ids(pull(centre))


def test_a_snapshot_in_pages_is_whole_and_comes_to_an_end(tmp_path: Path):
    centre = Centre(tmp_path / "centre.db", Time(), page=1)
    centre.enrol()
    book(centre, "P3", "2026-03-02T16:00")
    seen: list[str] = []
    cursor, pages = 0, 0
    while True:
        answer = pull(centre, cursor)
        assert answer.reset == (cursor == 0)
        seen += ids(answer)
        pages += 1
        cursor = answer.cursor
        if not answer.more:
            break
    assert (sorted(seen), pages) == (["P1", "P2", "P3"], 3)
    # Also on the next day, where every cursor in between is of that day.
    centre.time.pass_minutes(DAY_MINUTES)
    book(centre, "P1", "2026-03-03T09:00", "A10")
    book(centre, "P2", "2026-03-04T09:00", "A11")
    first = pull(centre, cursor)
    second = pull(centre, first.cursor)
    assert (first.reset, first.more, second.reset) == (True, True, False)
    assert sorted(ids(first) + ids(second)) == ["P1", "P2"]
    centre.store.close()


@pytest.mark.parametrize(("asked", "told"), [(1, 1), (2, 2), (0, 1), (-5, 1), (None, 25), (500, 500), (2**62, 500)])
def test_a_page_has_as_many_rows_as_the_kiosk_takes_within_limits(tmp_path: Path, asked: int | None, told: int):
    centre = Centre(tmp_path / "centre.db", Time(), page=MAX_PAGE_ROWS)
    centre.enrol()
    document: dict[str, list[dict[str, Any]]] = {"patients": [], "appointments": []}
    for number in range(MAX_PAGE_ROWS + 1):
        document["patients"].append({"patient_id": f"M{number}", "name": f"Many {number}"})
        document["appointments"].append(
            {
                "appointment_id": f"M{number}",
                "patient_id": f"M{number}",
                "exam_id": "X",
                "scheduled_at": "2026-03-02T16:00",
            }
        )
    with centre.store.write() as db:
        take_hospital(db, centre.definitions, centre.parts.keys, read_hospital(document), centre.time())
    answer = pull(centre, **({} if asked is None else {"rows": asked}))
    assert (len(answer.patients), answer.more) == (told, True)
    centre.store.close()


def test_a_row_changed_between_two_pages_comes_again_later(tmp_path: Path):
    centre = Centre(tmp_path / "centre.db", Time(), page=1)
    centre.enrol()
    first = pull(centre)
    (told,) = ids(first)
    centre.staff("scan_nfc", told)
    second = pull(centre, first.cursor)
    third = pull(centre, second.cursor)
    assert sorted(ids(first) + ids(second)) == ["P1", "P2"]
    assert ids(third) == [told]
    assert third.patients[0].journey == centre.journey(told)
    centre.store.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"cursor": -5},
        {"server_incarnation": "another"},
        {"server_incarnation": "another", "cursor": 10**6},
        {"server_incarnation": "another", "cursor": 10**30},
    ],
    ids=str,
)
def test_a_cursor_of_another_database_gets_a_snapshot(centre: Centre, changes: dict[str, Any]):
    centre.enrol()
    cursor = pull(centre).cursor
    answer = refused_or_not(centre, **({"cursor": cursor} | changes))
    assert isinstance(answer, PullAnswer)
    assert (answer.reset, sorted(ids(answer))) == (True, ["P1", "P2"])


def set_back(centre: Centre) -> PullAnswer:
    """A snapshot of the whole machine was restored, which includes the marker. The answer is from before it."""
    before = pull(centre)
    centre.staff("scan_nfc", "P3")
    answer = pull(centre, before.cursor)
    assert answer.cursor > before.cursor
    with centre.store.write() as db:
        db.set_counter("change", before.cursor)
    return answer


def incarnation(centre: Centre) -> str:
    (row,) = centre.rows("select server_incarnation from incarnation")
    return str(row["server_incarnation"])


def test_a_kiosk_with_changes_that_the_database_lacks_shows_that_it_was_set_back(centre: Centre):
    for prefix in ("A", "B"):
        centre.enrol(prefix)
    latest = pull(centre).cursor
    lost = set_back(centre)
    answer = pull(centre, lost.cursor, cursor_mac=lost.cursor_mac)
    assert answer.reset
    assert answer.server_incarnation != "first"
    for_the_other = pull(centre, latest, kiosk_id="kiosk-2")
    assert (for_the_other.reset, for_the_other.server_incarnation) == (True, answer.server_incarnation)
    again = pull(centre, lost.cursor, cursor_mac=lost.cursor_mac)
    assert again.server_incarnation == answer.server_incarnation, "its incarnation is the old one now"
    assert centre.open_cases() == []


def test_a_cursor_amid_a_snapshot_shows_too_that_the_database_was_set_back(centre: Centre):
    centre.enrol()
    amid = pull(centre, rows=1)
    assert amid.more
    with centre.store.write() as db:
        db.set_counter("change", amid.cursor - 1)
    answer = pull(centre, amid.cursor, cursor_mac=amid.cursor_mac)
    assert (answer.reset, answer.server_incarnation != "first") == (True, True)


@pytest.mark.parametrize("named", ["first", None])
def test_a_cursor_that_the_centre_never_gave_resets_nobody(centre: Centre, named: str | None):
    centre.enrol()
    latest = pull(centre)
    for cursor in (latest.cursor + 1, 10**30):
        for mac in ("", latest.cursor_mac, "é" * 64):
            refused = refused_or_not(centre, cursor, cursor_mac=mac, server_incarnation=named)
            assert isinstance(refused, CallRefused)
            assert (refused.code, refused.site_id) == (EndCode.BAD_CURSOR, centre.site_id)
            assert refused.error == "the centre never gave this cursor to this kiosk: pull from the beginning"
    assert incarnation(centre) == "first"
    assert centre.open_cases() == ["bad_cursor"], "staff are told once"


@pytest.mark.parametrize("borrowed", ["another kiosk's", "an earlier incarnation's", "by another secret"])
def test_a_cursor_that_was_given_to_another_proves_nothing(centre: Centre, borrowed: str):
    for prefix in ("A", "B"):
        centre.enrol(prefix)
    lost = set_back(centre)
    if borrowed == "an earlier incarnation's":
        with centre.store.write() as db:
            begin_new_incarnation(db, centre.time())
    if borrowed == "by another secret":  # a kiosk knows all but the secret
        with centre.store.write() as db:
            db.execute("update incarnation set cursor_secret = 'a guess'")
    before, liar = incarnation(centre), "kiosk-2" if borrowed == "another kiosk's" else "kiosk-1"
    refused = refused_or_not(centre, lost.cursor, liar, cursor_mac=lost.cursor_mac, server_incarnation=before)
    assert isinstance(refused, CallRefused)
    assert (refused.code, incarnation(centre)) == (EndCode.BAD_CURSOR, before)


def test_staff_hear_again_of_made_up_cursors_after_they_have_settled_the_case(centre: Centre):
    centre.enrol()
    for _ in range(2):
        assert isinstance(refused_or_not(centre, 10**6), CallRefused)
        assert centre.open_cases() == ["bad_cursor"]
        assert centre.settle("discard", reason="seen to").done


def test_a_revoked_kiosk_begins_no_new_incarnation(centre: Centre):
    centre.enrol()
    with centre.store.write() as db:
        db.execute("update kiosks set revoked_ms = 1")
    assert isinstance(refused_or_not(centre, 10**6), CallRefused)
    assert centre.rows("select server_incarnation from incarnation") == [{"server_incarnation": "first"}]


def test_a_kiosk_that_names_no_incarnation_gets_no_snapshot_for_that(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    assert not pull(centre, cursor, server_incarnation=None).reset


def test_a_new_card_and_a_new_grant_reach_the_kiosk(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    with centre.store.write() as db:
        bind(db, "P1", cards_of("spare"), new_id(), centre.time(), BY_STAFF)
        mark_changed(db, "P1")
        db.execute("update kiosks set grants = '[\"scan_nfc\"]'")
    answer = pull(centre, cursor)
    assert len(answer.patients[0].bindings) == 2
    assert answer.actions == ("scan_nfc",)


def test_a_revised_verdict_goes_to_its_own_kiosk_alone(centre: Centre, tmp_path: Path):
    kiosk = Kiosk(tmp_path / "a.db", centre, "A")
    centre.enrol("B")
    kiosk.pull()
    cursor = pull(centre).cursor
    with centre.store.write() as db:
        change = db.next_change()
        db.execute(
            "insert into verdicts values ('v', 1, 'kiosk-1', 4, 'P1', null, 'applied', 'ok', 0, null, null, null, 1,"
            " null, :change, 0)",
            {"change": change},
        )
    mine, others = pull(centre, cursor), pull(centre, cursor, "kiosk-2")
    assert [(row.action_id, row.seq, row.revision, row.patient_id) for row in mine.verdicts] == [("v", 4, 1, "P1")]
    assert mine.verdicts[0].journey == centre.journey("P1")
    assert others.verdicts == ()
    assert pull(centre, mine.cursor).verdicts == ()


def revise(centre: Centre, many: int, kiosk_id: str = "kiosk-1") -> list[str]:
    """Revises so many verdicts of a kiosk. Returns their ids."""
    with centre.store.write() as db:
        names = [new_id() for _ in range(many)]
        for name in names:
            db.execute(
                "insert into verdicts values (:id, 1, :kiosk_id, 4, 'P1', null, 'applied', 'ok', 0, null, null, null,"
                " 1, null, :change, 0)",
                {"id": name, "kiosk_id": kiosk_id, "change": db.next_change()},
            )
    return names


def pages_from(centre: Centre, cursor: int) -> list[PullAnswer]:
    """All pages, each from the cursor of the page before."""
    pages = [pull(centre, cursor)]
    while pages[-1].more:
        pages.append(pull(centre, pages[-1].cursor))
        assert pages[-1].reset or pages[-1].from_cursor == pages[-2].cursor
        assert len(pages) < 50, "the pages do not end"
    return pages


def told_in(pages: list[PullAnswer]) -> list[str]:
    return [row.action_id for page in pages for row in page.verdicts]


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Centre]:
    """A centre whose pages hold five rows of each kind."""
    made = Centre(tmp_path / "narrow.db", Time(), page=5)
    made.enrol()
    yield made
    made.store.close()


def test_revised_verdicts_come_in_pages_and_each_once(narrow: Centre):
    cursor = pages_from(narrow, 0)[-1].cursor
    names = revise(narrow, 12)
    pages = pages_from(narrow, cursor)
    assert [len(page.verdicts) for page in pages] == [5, 5, 2]
    assert told_in(pages) == names
    assert not any(page.reset for page in pages)


def test_a_new_day_repeats_no_verdict_that_the_kiosk_has_pulled(narrow: Centre):
    revise(narrow, 12)
    assert narrow.merge("P1", "P2").done
    before = pages_from(narrow, 0)
    assert (len(told_in(before)), [each.old for page in before for each in page.renamed]) == (12, ["P2"])
    narrow.time.pass_minutes(DAY_MINUTES)
    book(narrow, "P1", "2026-03-03T09:00")
    (page,) = pages_from(narrow, before[-1].cursor)
    assert (page.reset, ids(page), page.verdicts, page.renamed, page.gone) == (True, ["P1"], (), (), ())


def test_a_kiosk_that_was_away_for_days_gets_revised_verdicts_first_and_then_the_snapshot(narrow: Centre):
    cursor = pages_from(narrow, 0)[-1].cursor
    names = revise(narrow, 7)
    assert narrow.merge("P1", "P2").done
    names += revise(narrow, 4)
    narrow.time.pass_minutes(DAY_MINUTES)
    book(narrow, "P1", "2026-03-03T09:00")
    assert pull(narrow, kiosk_id=narrow.enrol().kiosk_id).reset, "the day has begun"
    names += revise(narrow, 4)
    pages = pages_from(narrow, cursor)
    assert told_in(pages) == names
    assert [each.old for page in pages for each in page.renamed] == ["P2"]
    assert [page.reset for page in pages] == [False, False, True]
    assert [len(page.verdicts) for page in pages] == [5, 5, 5]
    assert [ids(page) for page in pages] == [[], [], ["P1"]]
    assert pages[-1].cursor == pages_from(narrow, pages[-1].cursor)[-1].cursor


def test_a_new_kiosk_gets_many_merged_records_and_its_snapshot(tmp_path: Path):
    centre = Centre(tmp_path / "centre.db", Time(), page=1)
    centre.enrol()
    gone = [f"Q{number:03d}" for number in range(45)]
    people = [{"patient_id": each, "name": "Some Body", "cards": []} for each in gone]
    with centre.store.write() as db:
        take_hospital(db, centre.definitions, centre.parts.keys, read_hospital({"patients": people}), centre.time())
    for each in gone:
        assert centre.merge("P3", each).done
    centre.time.pass_minutes(DAY_MINUTES)
    book(centre, "P3", "2026-03-03T09:00")
    pages = pages_from(centre, 0)
    assert [each.old for page in pages for each in page.renamed] == gone
    assert max(len(page.renamed) for page in pages) == 20
    assert [ids(page) for page in pages if page.reset] == [["P3"]]
    centre.store.close()


def test_after_a_restore_a_pull_holds_no_verdict_that_pushes_will_answer(narrow: Centre):
    revise(narrow, 12)
    with narrow.store.write() as db:
        begin_new_incarnation(db, narrow.time())
    first = pull(narrow)
    assert (first.reset, sorted(ids(first)), first.verdicts) == (True, ["P1", "P2"], ())
    second = pull(narrow, first.cursor, server_incarnation=first.server_incarnation)
    assert (second.reset, second.verdicts) == (False, ())


def test_a_real_kiosk_adopts_everything_in_pages(tmp_path: Path):
    centre = Centre(tmp_path / "centre.db", Time(), page=2)
    kiosk = Kiosk(tmp_path / "a.db", centre, "A", EVERYTHING)
    kiosk.pull()
    for number in range(7):
        kiosk.check_in_unknown(f"new {number}")
    kiosk.push()
    while centre.open_cases():
        assert centre.settle("discard", reason="nobody").done
    centre.time.pass_minutes(DAY_MINUTES)
    book(centre, "P1", "2026-03-03T09:00")
    centre.pull(
        "kiosk-1", PullRequest(protocol_version=2, site_id=centre.site_id, kiosk_id="kiosk-1", epoch=1, cursor=0)
    )
    kiosk.pull()
    assert [row[1:] for row in kiosk.statuses()] == [("superseded", "discarded")] * 7
    assert kiosk.base("P1") == centre.journey("P1")
    centre.store.close()


def test_of_a_verdict_revised_twice_the_last_revision_is_sent(narrow: Centre):
    cursor = pages_from(narrow, 0)[-1].cursor
    (name,) = revise(narrow, 1)
    with narrow.store.write() as db:
        db.execute(
            "insert into verdicts values (:id, 2, 'kiosk-1', 4, 'P1', null, 'superseded', 'discarded', 0, null, null,"
            " null, 1, null, :change, 0)",
            {"id": name, "change": db.next_change()},
        )
    (page,) = pages_from(narrow, cursor)
    assert [(row.action_id, row.revision, row.code) for row in page.verdicts] == [(name, 2, "discarded")]


# Waiting for news.


def test_a_waiting_call_gets_a_change_at_once(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    answers: list[PullAnswer] = []
    waiting = threading.Thread(target=lambda: answers.append(pull(centre, cursor, wait_s=LONG_WAIT_S)))
    waiting.start()
    while waiting.is_alive() and not answers:
        # The first answer holds a change that was committed before the wait, so the call returns in any case.
        centre.staff("scan_nfc", "P1")
        waiting.join(0.05)
    waiting.join()
    assert ids(answers[0]) == ["P1"]


def test_a_waiting_call_gets_a_new_card_key_at_once(centre: Centre):
    centre.enrol()
    cursor, answers = pull(centre).cursor, []
    waits = {"wait_s": LONG_WAIT_S, "card_key_id": "k1"}
    waiting = threading.Thread(target=lambda: answers.append(pull(centre, cursor, **waits)))
    waiting.start()
    while waiting.is_alive() and not answers:
        begin_rotation(centre.parts, "operator")
        walk_on(centre.parts)
        waiting.join(0.05)
    waiting.join()
    assert answers[0].card_keys is not None
    assert answers[0].card_keys.ids[0] == "k1"
    assert answers[0].cursor > cursor


def test_a_waiting_call_gets_a_changed_setting_of_the_site_at_once(centre: Centre):
    centre.enrol()
    cursor, answers = pull(centre).cursor, []
    waiting = threading.Thread(target=lambda: answers.append(pull(centre, cursor, wait_s=LONG_WAIT_S)))
    waiting.start()
    for refuses in itertools.cycle((True, False)):
        with centre.store.write() as db:
            take_site(db, SitePart(refuse_short_uids=refuses), centre.time())
        waiting.join(0.05)
        if answers:
            break
    assert answers[0].cursor > cursor


def test_a_call_that_waits_ends_when_the_service_stops(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    centre.store.news.close()
    assert pull(centre, cursor, wait_s=LONG_WAIT_S).patients == ()


def test_news_are_sent_without_waiting(centre: Centre):
    centre.enrol()
    assert ids(pull(centre, 0, wait_s=LONG_WAIT_S))
    cursor = pull(centre).cursor
    centre.staff("scan_nfc", "P2")
    assert ids(pull(centre, cursor, wait_s=LONG_WAIT_S)) == ["P2"]


def test_definitions_do_not_wait(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    assert pull(centre, cursor, definitions_version=0, wait_s=LONG_WAIT_S).definitions is not None


def test_a_call_beyond_the_cap_is_answered_at_once_with_a_time_to_retry(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    centre.pulls = PullService(centre.parts, most_waiting=0)
    answer = pull(centre, cursor, wait_s=LONG_WAIT_S)
    assert (answer.patients, answer.cursor) == ((), cursor)
    assert answer.retry_after_s is not None


def test_a_place_is_free_again_after_a_call_has_waited(centre: Centre):
    centre.enrol()
    cursor = pull(centre).cursor
    centre.pulls = PullService(centre.parts, most_waiting=1)
    for _ in range(3):
        assert pull(centre, cursor, wait_s=0.01).retry_after_s is None


# Senders that are refused.


def test_a_revoked_kiosk_has_ended_and_an_unknown_one_is_not_known(centre: Centre):
    centre.enrol()
    centre.enrol()
    for kiosk_id, named in (("nobody", "nobody"), ("kiosk-1", "kiosk-2")):
        answer = centre.pull(
            kiosk_id, PullRequest(protocol_version=2, site_id=centre.site_id, kiosk_id=named, epoch=1, cursor=0)
        )
        assert isinstance(answer, CallRefused)
        assert answer.code is EndCode.NOT_KNOWN
    with centre.store.write() as db:
        db.execute("update kiosks set revoked_ms = 1")
    answer = refused_or_not(centre)
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.ENDED


def test_an_unsupported_version_is_refused(centre: Centre):
    centre.enrol()
    answer = refused_or_not(centre, protocol_version=99)
    assert isinstance(answer, CallRefused)
    assert answer.code is EndCode.UNSUPPORTED_VERSION


def test_a_pull_records_the_last_contact_but_not_each_time(centre: Centre):
    centre.enrol()
    pull(centre)
    first = centre.time()
    assert centre.rows("select seen_ms from kiosks") == [{"seen_ms": first}]
    centre.time.pass_minutes(0.5)
    pull(centre)
    assert centre.rows("select seen_ms from kiosks") == [{"seen_ms": first}]
    centre.time.pass_minutes(1)
    pull(centre)
    assert centre.rows("select seen_ms from kiosks") == [{"seen_ms": centre.time()}]


def test_a_kiosk_that_was_away_for_days_holds_what_the_centre_holds(centre: Centre, tmp_path: Path):
    kiosk = Kiosk(tmp_path / "a.db", centre, "A")
    kiosk.pull()
    kiosk.tap("P2")
    centre.time.pass_minutes(3 * DAY_MINUTES)
    book(centre, "P3", "2026-03-05T16:00")
    centre.staff("scan_nfc", "P3")
    kiosk.sync()
    assert kiosk.base("P1") is None
    assert kiosk.base("P2") is None
    assert kiosk.base("P3") == centre.journey("P3")
