"""The books of a story: whose finger did which action. Each check returns the faults that it found, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.storm.kiosk_rows import Row
from tests.storm.notes import Note, Press, Sent, commands, presses
from tests.storm.story import LIVE_MS

NEXT = "next"
LEAVING = ("home", "back")
FRAMES_MS = 100  # two frames of a busy machine: the glass shows a change that long after the page has drawn it
ALWAYS_SHOWN_MS = 1_500  # a button that is dead for longer than this is dead for too long
SENT_WITHIN_MS = 1_500  # between a finger's end and the page's command
SLIDE_PX = 8.2  # times the pixels of a millimetre: a slide that loses no press


@dataclass(frozen=True)
class Books:
    """The notes of a story, and the kiosk's actions after it. `px_per_mm` is the page's millimetre."""

    notes: Sequence[Note]
    rows: Sequence[Row]
    px_per_mm: float = 4.0

    def faults(self) -> list[str]:
        """Every fault."""
        made, sent = presses(self.notes), commands(self.notes)
        doers, unmeant = _doers(made, [each for each in sent if each.command == "perform_action"])
        return [
            *unmeant,
            *self._unmeant_rows(sent),
            *self._lost(made, doers),
            *self._lost_answers(),
            *self._dead_for_too_long(made),
            *_unmeant_ends(made, sent),
            *self._cleared(made, sent),
        ]

    def _unmeant_rows(self, sent: Sequence[Sent]) -> Iterator[str]:
        """Actions that neither a press nor a card has caused."""
        pressed = {each.action_id: each for each in sent if each.action_id}
        for row in self.rows:
            press = pressed.get(row.action_id)
            if press is None:
                if not self._was_held(row):
                    yield f"{row.action_type} of {row.sent_patient_id} has neither a press nor a card"
            elif (press.patient, press.action_type) != (row.sent_patient_id, row.action_type):
                pressed_as = f"{press.action_type} of {press.patient}"
                yield f"{row.action_type} of {row.sent_patient_id} was pressed as {pressed_as}"
        held = [row.action_id for row in self.rows]
        yield from (f"the action {each} is there twice" for each in {i for i in held if held.count(i) > 1})

    def _was_held(self, row: Row) -> bool:
        holds = (note for note in self.notes if note["kind"] == "hold" and note["t"] <= row.at_ms + FRAMES_MS)
        return row.action_type == "scan_nfc" and any(note["patient"] == row.sent_patient_id for note in holds)

    def _lost(self, made: Sequence[Press], doers: dict[int, Sent]) -> Iterator[str]:
        """Presses on a live button, held still and released, that the page never sent."""
        for press in made:
            if press.number not in doers and self._must_count(press, made):
                yield f"{press} was lost"

    def _must_count(self, press: Press, made: Sequence[Press]) -> bool:
        if press.name != NEXT or press.dead or press.busy or press.up_t is None or press.repeat:
            return False
        # The page may say that the press no longer counts where the person or the step changed under the finger.
        changed = any(
            note["kind"] in {"glass", "screen", "reload", "kill", "opened"}
            and press.t - FRAMES_MS <= note["t"] <= press.up_t + FRAMES_MS
            and (note["kind"] not in {"glass", "screen"} or _differs(note, press))
            for note in self.notes
        )
        others = [each for each in made if each is not press and _overlap(each, press)]
        before = [each for each in made if each.name == NEXT and 0 < press.t - each.t < SENT_WITHIN_MS]
        still = press.is_key or (press.on and press.moved_px <= SLIDE_PX * self.px_per_mm)
        return still and not changed and not others and not before and press.shown_ms >= LIVE_MS

    def _lost_answers(self) -> Iterator[str]:
        """Actions that the daemon has acknowledged, and does not have."""
        kept = {row.action_id for row in self.rows}
        for note in self.notes:
            if note["kind"] == "answer" and note["ok"] and note["action_id"] and note["action_id"] not in kept:
                yield f"the action {note['action_id']} was acknowledged and is not there"

    def _dead_for_too_long(self, made: Sequence[Press]) -> Iterator[str]:
        for press in made:
            if press.name == NEXT and press.dead and not press.busy and press.shown_ms > ALWAYS_SHOWN_MS:
                yield f"{press}: the button is dead for too long"

    def _cleared(self, made: Sequence[Press], sent: Sequence[Sent]) -> Iterator[str]:
        """Persons who left the screen without a finger of theirs, a card, or the end of their time."""
        before: Note | None = None
        for note in self.notes:
            if note["kind"] in {"kill", "reload", "opened"}:
                before = None
            if note["kind"] != "screen":
                continue
            was, before = before, note
            if was is None or was["stay"] is None or note["screen"] != "attract" or was["screen"] == "attract":
                continue
            left = any(each.command == "leave" and each.t <= note["t"] and _is_of(each, was, made) for each in sent)
            remaining_s = was["remaining"]
            is_over = remaining_s is not None and note["t"] - was["t"] >= remaining_s * 1000 - FRAMES_MS
            if not left and not is_over:
                yield f"the screen of {was['patient']} was cleared, and nobody of theirs has left"


def _doers(made: Sequence[Press], sent: Sequence[Sent]) -> tuple[dict[int, Sent], list[str]]:
    """The press of each action, and the actions that no press may have caused.

    A press causes one action at most. It was on the live button of that very person and offer, which had been on the
    glass for as long as a button of a new person or step is dead.
    """
    doers: dict[int, Sent] = {}
    unmeant = []
    for action in sent:
        near = [
            press
            for press in reversed(made)
            if press.number not in doers and press.t <= action.t and _ended_near(press, action)
        ]
        found = next((press for press in near if _may_do(press, action)), None)
        if found is not None:
            doers[found.number] = action
            continue
        fingers = "; ".join(str(press) for press in near[:3]) or "no finger was down"
        unmeant.append(f"{action.action_type} of {action.patient} is of no press that was meant for it: {fingers}")
    return doers, unmeant


def _ended_near(press: Press, action: Sent) -> bool:
    return press.up_t is None or action.t - press.up_t <= SENT_WITHIN_MS


def _may_do(press: Press, action: Sent) -> bool:
    same = press.patient == action.patient and (press.offer == action.offer or None in (press.offer, action.offer))
    return press.name == NEXT and same and not press.dead and not press.busy and press.shown_ms >= LIVE_MS - FRAMES_MS


def _unmeant_ends(made: Sequence[Press], sent: Sequence[Sent]) -> Iterator[str]:
    """Commands that end or extend a stay, and that no finger has caused."""
    for command in sent:
        if command.command not in {"leave", "keep"}:
            continue
        names = LEAVING if command.command == "leave" else ("keep",)
        fingers = [press for press in made if press.name in names and press.t <= command.t]
        if not any(_ended_near(press, command) and command.stay in (None, press.stay) for press in fingers):
            yield f"{command.command} of the stay {command.stay} is of no finger on that button"


def _is_of(command: Sent, screen: Note, made: Sequence[Press]) -> bool:
    """Whether a leave is of the stay on that screen: by its own word, or by the finger that caused it."""
    if command.stay is not None:
        return bool(command.stay == screen["stay"])
    fingers = [press for press in made if press.name in LEAVING and press.t <= command.t]
    return bool(fingers) and fingers[-1].stay == screen["stay"]


def _differs(note: Note, press: Press) -> bool:
    other_offer = press.offer is not None and note["offer"] != press.offer
    return bool(note["patient"] != press.patient or note["stay"] != press.stay or other_offer)


def _overlap(one: Press, other: Press) -> bool:
    one_end, other_end = one.up_t or float("inf"), other.up_t or float("inf")
    return one.t <= other_end and other.t <= one_end
