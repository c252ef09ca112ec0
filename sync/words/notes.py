"""What stands beside the next step: notes, how far a check-in has come, and that the person may go."""

from collections.abc import Mapping

from sync.words.situation import Deed, Situation
from sync.words.text import N_, Phrase, Text, fill
from sync.words.words import Note, NoteKind, Receipt, Stamp

_IN_LINE = ("waiting", "delayed")
_WITH_STAFF = ("called", "in_progress")
_LISTED = (*_IN_LINE, *_WITH_STAFF)


def notes(situation: Situation) -> tuple[Note, ...]:
    """Returns the notes of a situation, the most pressing first."""
    found = []
    if situation.reversals:
        texts = _reversals(situation)
        found += [Note(NoteKind.REVERSED, text, "warn", "mild") for text in texts]
    if (moved := _moved(situation)) is not None:
        found.append(Note(NoteKind.MOVED, moved, "note", "mild"))
    if situation.needs_staff and situation.entry_state in _WITH_STAFF and not situation.provisional:
        found.append(Note(NoteKind.NEEDS_STAFF, Text(_STAFF_WILL_CHECK), "staff", "mild"))
    if situation.awaited and situation.entry_state in _WITH_STAFF and not situation.needs_staff:
        found.append(Note(NoteKind.AWAITED, Text(_AWAITED), "note", "mild"))
    if situation.deed is Deed.REFUSED:
        found.append(Note(NoteKind.REFUSED, fill(_REFUSED, situation.values()), "note", "mild"))
    if situation.deed is Deed.TAPPED_AGAIN and situation.entry_state in _IN_LINE and not situation.needs_staff:
        found.append(Note(NoteKind.REPEATED, Text(_REPEATED), "check", "good"))
    return tuple(found)


def stamp(situation: Situation) -> Stamp | None:
    """Returns how far the check-in of the present number has come; None where that is for staff to say."""
    if situation.needs_staff or situation.entry_state not in _LISTED:
        return None
    if not situation.pending:
        return Stamp(Receipt.CONFIRMED, Text(_CONFIRMED))
    if situation.online:
        return Stamp(Receipt.PENDING, Text(_PENDING))
    return Stamp(Receipt.SAVED, Text(_SAVED))


def banner(situation: Situation, has_ticket: bool) -> Text | None:
    """Returns the sentence that the person may go; None where the centre answers, or something is left to do here."""
    is_held = situation.deed is Deed.HELD
    if situation.online or not situation.pending or situation.has_button or situation.needs_staff or is_held:
        return None
    waits = has_ticket and situation.entry_state in _IN_LINE
    return Text(_WAIT_WITH_THIS_NUMBER if waits else _SAVED_HERE)


def _moved(situation: Situation) -> Text | None:
    """What the ticket says of exam or room and no longer holds; None where all of it holds.

    A patient who is called or seen is told the room anyway.
    """
    entry = situation.entry
    if entry is None or not entry.live:
        return None
    if entry.moved_from:
        return fill(_MOVED, situation.values())
    return Text(_ROOM_CHANGED) if entry.is_room_changed and entry.state in _IN_LINE else None


def _reversals(situation: Situation) -> list[Text]:
    """One text for all numbers that no longer count, and one for each other kind of action.

    A number that is named says enough of the check-in that gave it.
    """
    values = situation.values()
    numbers = ", ".join(dict.fromkeys(reversal.number for reversal in situation.reversals if reversal.number))
    texts = [fill(_NUMBERS_LOST, {**values, "numbers": numbers})] if numbers else []
    phrases = dict.fromkeys(_CHANGED.get(r.action, _SOMETHING_CHANGED) for r in situation.reversals if not r.number)
    return texts + [fill(phrase, values) for phrase in phrases if not (numbers and phrase is _CHECK_IN_CHANGED)]


_STAFF_WILL_CHECK = N_("The staff need to check something with you.")
_AWAITED = N_("The hospital's other system has to confirm your request.")
_REPEATED = N_("You are checked in already.")
_CONFIRMED = N_("Check-in complete")
_PENDING = N_("Check-in is being processed")
_SAVED = N_("Checked in, sent on later")
_WAIT_WITH_THIS_NUMBER = N_("Please wait with this number. No need to tap again.")
_SAVED_HERE = N_("This is saved. No need to tap again.")

_REFUSED = (
    N_("That is not possible now. Please ask here: {desk}"),
    N_("That is not possible now. Please ask at the desk."),
)
_MOVED = (
    N_("Your exam was changed from {moved_from} to {exam}. Your number stays the same."),
    N_("Your exam was changed. Your number stays the same."),
)
_ROOM_CHANGED = N_("The room was changed. Your number stays the same.")
_NUMBERS_LOST = (
    N_("No longer valid: your number {numbers}. Please ask here: {desk}"),
    N_("No longer valid: your number {numbers}. Please ask at the desk."),
)
_CHECK_IN_CHANGED = (
    N_("Your check-in was changed. Please ask here: {desk}"),
    N_("Your check-in was changed. Please ask at the desk."),
)
_PAYMENT_CHANGED = (
    N_("Your payment was changed. Please ask here: {desk}"),
    N_("Your payment was changed. Please ask at the desk."),
)
_SOMETHING_CHANGED = (
    N_("What you did here was changed. Please ask here: {desk}"),
    N_("What you did here was changed. Please ask at the desk."),
)
_CHANGED: Mapping[str, Phrase] = {
    "scan_nfc": _CHECK_IN_CHANGED,
    "register": _CHECK_IN_CHANGED,
    "confirm_arrival": _CHECK_IN_CHANGED,
    "make_payment": _PAYMENT_CHANGED,
}
