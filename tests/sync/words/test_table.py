"""The words of every situation: total, in every language, and never untrue."""

from __future__ import annotations

import ast
import itertools
import os
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from sync import words
from sync.words.catalogs import TRANSLATIONS, read_catalogs
from sync.words.situation import Deed, Entry, Exam, Reversed, Situation
from sync.words.table import CAUSES, STEPS, say
from sync.words.text import Text, places_of
from sync.words.words import NoteKind, Place, Words

from .situations import DESK, NEXT, ROOM, RULES, entry, every_situation, with_less

LONG = bool(os.environ.get("LONG"))
EVERY = 1 if LONG else 5  # 5 is no factor of the products' lengths but one, so each value meets each of the others
pytestmark = pytest.mark.xdist_group("words")  # one process makes the situations
CATALOGS = {catalog.tag: catalog.messages for catalog in read_catalogs(TRANSLATIONS)}


@cache
def every() -> list[tuple[Situation, Words]]:
    """Returns every situation with its words; of the usual run one in five."""
    return [(situation, say(situation)) for situation in itertools.islice(every_situation(), 0, None, EVERY)]


def texts(said: Words) -> tuple[Text, ...]:
    """Returns all that is said."""
    maybe = (said.where, said.stamp.text if said.stamp else None, said.banner)
    return (said.title, said.lead, *(note.text for note in said.notes), *(text for text in maybe if text))


def test_a_number_of_a_moved_booking_names_both_exams_while_it_counts():
    moved = replace(entry("waiting"), moved_from="혈액 검사")
    (note,) = say(Situation("WAITING", moved)).notes
    assert (note.kind, note.text.values) == (NoteKind.MOVED, {"moved_from": "혈액 검사", "exam": moved.exam})
    assert say(Situation("COMPLETED", replace(moved, state="completed", live=False))).notes == ()
    missed = say(Situation("WAITING", replace(moved, state="no_show"))).notes
    assert [each.kind for each in missed] == [NoteKind.MOVED]


def test_a_patient_who_waits_reads_that_the_room_on_the_ticket_has_changed():
    elsewhere = replace(entry("waiting"), is_room_changed=True)
    (note,) = say(Situation("WAITING", elsewhere)).notes
    assert note.kind is NoteKind.MOVED
    assert note.text == Text("The room was changed. Your number stays the same.")
    # The staff call into a room anyway, and a note that names the exams is enough.
    assert say(Situation("CALLED", replace(elsewhere, state="called"))).notes == ()
    assert len(say(Situation("WAITING", replace(elsewhere, moved_from="혈액 검사"))).notes) == 1


def test_an_exam_of_another_day_is_not_called_cancelled():
    moved = replace(entry("cancelled"), is_of_another_day=True)
    said = say(Situation("COMPLETED", moved, desk=DESK))
    assert said.title == Text("Not today any more: {exam}", {"exam": moved.exam})
    assert said.place is Place.DESK
    following = say(Situation("COMPLETED", moved, button="confirm_arrival", next=Exam(NEXT), has_bookings=True))
    assert (following.title, following.lead.values) == (said.title, {"next": NEXT})


# The nine untruths.


def test_a_patient_who_was_called_and_not_there_reads_so_with_the_number_and_is_sent_to_the_desk():
    said = say(Situation("WAITING", entry("no_show"), desk=DESK))
    assert said.title.text == "You were called and were not here"
    assert said.lead == Text("Please go to the desk with your number {number}.", {"number": "B-017"})
    assert (said.place, said.where, said.has_ticket) == (Place.DESK, Text("Go to: {desk}", {"desk": DESK}), True)


def test_an_exam_that_staff_cancelled_is_never_called_done():
    said = say(Situation("COMPLETED", entry("cancelled"), desk=DESK))
    assert (said.title.text, said.place, said.has_ticket) == ("Your exam was cancelled", Place.DESK, False)


def test_after_the_last_exam_the_payment_desk_is_named():
    said = say(Situation("COMPLETED", entry("completed"), has_bookings=True))
    assert (said.lead.text, said.place) == ("Please go to the payment desk.", Place.PAYMENT)


def test_before_a_further_exam_the_exam_is_named():
    said = say(Situation("COMPLETED", entry("completed"), button="confirm_arrival", next=Exam(NEXT)))
    assert (said.lead.values, said.place) == ({"next": NEXT}, Place.HERE)
    joined = say(Situation("COMPLETED", entry("completed"), button="confirm_arrival", next=Exam(NEXT, "C-3")))
    assert joined.lead.values == {"next": NEXT, "next_number": "C-3"}


def test_a_greeting_without_the_centre_claims_nothing_to_be_saved():
    greeted = Situation("ARRIVED", button="register", next=Exam(NEXT), online=False, pending=True)
    assert say(greeted).banner is None
    assert say(Situation("ARRIVED", online=False)).banner is None


def test_a_reversal_says_what_was_reversed_and_where_to_ask():
    lost = (
        Reversed("register"),
        Reversed("confirm_arrival", "B-009"),
        Reversed("confirm_arrival", "B-010"),
        Reversed("make_payment"),
    )
    notes = say(Situation("WAITING", entry("waiting"), reversals=lost, desk=DESK)).notes
    assert [note.text for note in notes] == [
        Text(
            "No longer valid: your number {numbers}. Please ask here: {desk}", {"numbers": "B-009, B-010", "desk": DESK}
        ),
        Text("Your payment was changed. Please ask here: {desk}", {"desk": DESK}),
    ]
    changed = say(Situation("ARRIVED", reversals=lost[:1], button="register")).notes
    assert [note.text.text for note in changed] == ["Your check-in was changed. Please ask at the desk."]


def test_an_exam_in_progress_is_named_with_its_room():
    said = say(Situation("IN_PROGRESS", entry("in_progress")))
    assert said.title == Text("In progress: {exam}", {"exam": "흉부 영상 검사"})
    assert (said.place, said.where) == (Place.INSIDE, Text("Room: {room}", {"room": ROOM}))


def test_a_patient_who_leaves_reads_goodbye_and_no_question():
    left = Situation("UNREGISTERED", deed=Deed.ACCEPTED, done="leave_hospital", has_bookings=True)
    assert (say(left).title.text, say(left).place) == ("Goodbye", Place.EXIT)


def test_a_patient_with_something_left_is_never_told_that_all_is_done():
    left = say(Situation("FINISHED", entry("completed"), has_bookings=True, next=Exam(NEXT), desk=DESK))
    assert (left.title.text, left.lead.values, left.place) == ("Your payment is done", {"next": NEXT}, Place.DESK)
    assert say(Situation("FINISHED", entry("completed"))).title.text == "All is done for today"


# The table is total.


def test_every_situation_has_a_cause_a_next_step_and_a_place():
    assert len(every()) > 30_000 // EVERY
    for situation, said in every():
        assert said.title.text, situation
        assert said.lead.text, situation
        waits = situation.deed is Deed.HELD or situation.awaited
        assert (said.where is None) == (said.place is Place.HERE), situation
        assert said.place is not Place.HERE or situation.button or waits, situation


def test_every_text_of_every_situation_has_its_values_and_each_language():
    seen = {}
    for situation, _ in every()[::7]:
        for each in (situation, *with_less(situation)):
            seen.update({text.text: text for text in texts(say(each))})
    for text in seen.values():
        assert set(places_of(text.text)) == set(text.values)
        assert all(text.values.values())
        for tag, messages in CATALOGS.items():
            translated = messages[text.text]
            assert isinstance(translated, str)
            assert set(places_of(translated)) == set(text.values), (tag, text)


def test_no_row_of_the_table_is_dead():
    said = {(words.title.text, words.lead.text) for _, words in every()}
    titles, leads = {title for title, _ in said}, {lead for _, lead in said}
    assert {cause.title[0] for cause in CAUSES if not titles & set(cause.title)} == set()
    assert {step.lead[0] for step in STEPS if not leads & set(step.lead)} == set()


def test_every_name_in_the_words_is_one_of_the_rules():
    known = {*RULES.actions, *RULES.journey_states, *RULES.queue_states, *RULES.appointment_states, ""}
    for cell in (*CAUSES, *STEPS):
        for name in ("journey", "entry_state", "done", "button"):
            assert set(cell.facts.get(name, ())) <= known, cell
    # The tables of names and notes are constants: their keys stand in the source.
    for name in ("names.py", "notes.py"):
        tree = ast.parse((Path(words.__file__).parent / name).read_text("utf-8"))
        keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
        texts_of_keys = {key.value for key in keys if isinstance(key, ast.Constant)}
        assert texts_of_keys - {"exam", "numbers"} <= known, name


def test_what_a_site_invented_has_words_that_send_to_the_desk():
    said = say(Situation("STERILISED", Entry("sterilising", "B-001", "검사"), desk=DESK))
    assert (said.place, said.has_ticket) == (Place.DESK, True)
    assert say(Situation("STERILISED", button="sterilise")).place is Place.HERE


# No sentence is untrue.

WAITS = ("until it is called", "wait with this number", "Your number,", "Check-in complete", "It is your turn")


def test_a_sentence_about_a_number_stands_only_beside_the_number():
    for situation, said in every():
        spoken = " ".join(text.text for text in texts(said))
        if any(sentence in spoken for sentence in WAITS):
            assert said.has_ticket, situation
            assert situation.entry is not None, situation
            assert situation.entry.live, situation


def test_a_patient_waits_only_where_the_entry_waits_and_goes_in_only_where_it_is_called():
    for situation, said in every():
        if said.place is Place.FRONT or said.title.text.startswith("Your number"):
            assert situation.entry_state in ("waiting", "delayed"), situation
        if said.place is Place.ROOM:
            assert situation.entry_state == "called", situation
        if said.place is Place.INSIDE:
            assert situation.entry_state == "in_progress", situation


def test_a_called_patient_is_sent_in_whatever_else_there_is_to_say():
    for situation, said in every():
        if situation.entry_state == "called" and situation.journey == "CALLED" and not situation.provisional:
            assert said.place is Place.ROOM, situation


def test_a_room_that_is_a_mere_number_is_called_a_room():
    called = say(Situation("CALLED", entry("called", room="3")))
    assert called.lead == Text("Please go to room {room_number}", {"room_number": "3"})
    assert called.where == Text("Room: number {room_number}", {"room_number": "3"})
    assert say(Situation("WAITING", entry("waiting", room="3"))).where == Text(
        "At room {room_number}", {"room_number": "3"}
    )


def test_only_a_patient_who_waits_is_told_of_a_second_tap():
    told = [situation for situation, said in every() if NoteKind.REPEATED in [note.kind for note in said.notes]]
    assert {situation.entry_state for situation in told} == {"waiting", "delayed"}


def test_all_is_done_only_where_nothing_is_left_and_the_data_is_fresh():
    done = [situation for situation, said in every() if said.title.text == "All is done for today"]
    assert done
    for situation in done:
        assert (situation.journey, situation.next, situation.online) == ("FINISHED", None, True)


def test_no_booking_is_said_only_from_fresh_data():
    for situation, said in every():
        if "No appointment" in said.title.text:
            assert situation.online, situation
            assert situation.next is None, situation
            assert ("today" in said.title.text.split("left")[0]) == (not situation.has_bookings), situation


def test_nobody_is_told_not_to_tap_again_but_where_something_is_saved_and_nothing_is_left_to_press():
    told = [situation for situation, said in every() if said.banner]
    assert told
    for situation in told:
        assert situation.pending, situation
        assert not situation.online, situation
        assert not situation.button, situation
        assert not situation.needs_staff, situation


def test_a_check_in_is_complete_only_where_the_centre_has_judged_it():
    for situation, said in every():
        if said.stamp:
            assert (said.stamp.kind == "confirmed") == (not situation.pending), situation
            assert not situation.needs_staff, situation
            assert situation.entry_state != "no_show", situation


def test_a_sentence_that_names_a_button_stands_above_that_button():
    names = {
        "Register now": "register",
        "Confirm arrival": "confirm_arrival",
        "I am going in": "enter_exam_room",
        "My exam is done": "complete_exam",
        "Pay now": "make_payment",
        "Leave the hospital": "leave_hospital",
    }
    for situation, said in every():
        for label, action in names.items():
            if f'"{label}"' in said.lead.text:
                assert situation.button == action, situation


def test_what_was_cancelled_is_not_done_and_what_was_done_is_not_cancelled():
    for situation, said in every():
        if said.title.text == "Your exam is done":
            assert situation.entry_state == "completed", situation
        if said.title.text == "Your exam was cancelled":
            assert situation.entry_state == "cancelled", situation


def test_each_patient_who_the_desk_has_to_help_is_sent_there():
    for situation, said in every():
        if situation.provisional or (situation.needs_staff and situation.entry_state not in ("called", "in_progress")):
            assert said.place is Place.DESK, situation
        if situation.needs_staff and situation.entry_state in ("called", "in_progress"):
            kinds = [note.kind for note in said.notes]
            assert said.place is Place.DESK or NoteKind.NEEDS_STAFF in kinds, situation


def test_what_another_system_decides_is_never_called_done():
    awaited = [(situation, said) for situation, said in every() if situation.awaited]
    assert awaited
    for situation, said in awaited:
        spoken = " ".join(text.text for text in texts(said))
        has_ticket_words = situation.entry_state in ("called", "in_progress") and said.has_ticket
        assert "The hospital's other system has to confirm" in spoken, situation
        assert has_ticket_words or said.title.text == "Your request has been taken", situation
        assert ("in a minute" in spoken) <= situation.online, situation


def test_nobody_is_sent_to_check_in_who_has_nothing_left_today():
    for situation, said in every():
        if said.lead.text.startswith("You cannot check in at this kiosk."):
            assert not (situation.online and situation.has_bookings and not situation.next), situation
    back = say(Situation("UNREGISTERED", has_bookings=True, desk=DESK))
    assert (back.title.text, back.place) == ("No appointment is left today", Place.DESK)


def test_the_first_visit_question_is_asked_of_nobody_who_has_begun():
    for situation, said in every():
        if said.lead.text == "Shall we check you in for today?":
            assert situation.journey == "UNREGISTERED", situation
            assert situation.done != "leave_hospital", situation


@pytest.mark.parametrize("tag", sorted(CATALOGS))
def test_no_translation_depends_on_the_last_sound_of_a_value(tag: str):
    for translated in CATALOGS[tag].values():
        for text in [translated] if isinstance(translated, str) else translated:
            for particle in ("을", "를", "은", "는", "이", "가", "과", "와", "으로", "로"):
                for end in (" ", ".", ","):
                    assert "}" + particle + end not in text, text
