"""The words that the page of a visit needs besides those of the situation, by the names that its script uses."""

from collections.abc import Mapping

from sync.words.text import N_

TEXTS: Mapping[str, str] = {
    "name": N_("Your visit"),
    "unknown": N_("The hospital does not know this number yet"),
    "unknown_lead": N_("Please wait. This page looks again by itself."),
    "unknown_note": N_("If it stays like this, please show your number at the desk."),
    "ended": N_("This visit is over"),
    "ended_lead": N_("If you still wait, please show your number at the desk."),
    "no_code": N_("Please scan the code at the kiosk"),
    "no_code_lead": N_("The screen shows it after you have confirmed your arrival."),
    "away": N_("The hospital does not answer. This page looks again by itself."),
    "refused": N_("That was not possible. Please look at what the page says now."),
    "busy": N_("Please wait a moment"),
    "as_of": N_("Last seen at {time}"),
}
