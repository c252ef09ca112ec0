"""What a kiosk showed at an action of a case: the screen with the button that was pressed, and the one after it.

The words are those of the kiosk's own screen, in every language that it has.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import replace

from sync.journey.definitions import Definitions
from sync.words.catalogs import TRANSLATIONS, Catalog, read_catalogs
from sync.words.names import button
from sync.words.situation import Deed, Entry, Exam, Situation
from sync.words.table import say
from sync.words.text import Text

Said = Mapping[str, str]  # a text by the tag of its language


class ShownScreen(msgspec.Struct, frozen=True):
    """A screen: what stood on it, and the next step."""

    title: Said
    lead: Said


class KioskShowed(msgspec.Struct, frozen=True):
    """The screens around an action: `before` it, the `button` that was pressed, and `after` the kiosk had accepted it.

    A card that was held to the reader has no screen `before`, and no button. `queue_number` is the one that was
    printed; empty where none was.
    """

    before: ShownScreen | None
    button: Said
    after: ShownScreen
    queue_number: str


def kiosk_showed(
    definitions: Definitions, detail: Mapping[str, Any], exam_label: str, granted: Collection[str], *, is_stranger: bool
) -> KioskShowed | None:
    """The screens around the action that the detail of a case tells of; None where it tells of none.

    `exam_label` is the exam of the action, or the next one that the person had, in the words of a screen; empty where
    it is not known. `granted` are the actions of the kiosk. `is_stranger`: the kiosk knew no patient for the card.
    """
    shown, action = detail.get("shown"), detail.get("action_type")
    if not isinstance(shown, Mapping) or not isinstance(action, str):
        return None
    state, number = str(shown.get("journey_state", "")), str(shown.get("queue_number", ""))
    rule = definitions.actions.get(action)
    after = rule.moves.get(state, state) if rule else state
    situation = Situation(
        state,
        _entry(definitions, state, "", exam_label),
        button=action,
        has_bookings=bool(shown.get("appointment_ids")),
        next=Exam(exam_label) if exam_label else None,
        provisional=is_stranger,
    )
    accepted = replace(
        situation,
        journey=after,
        entry=_entry(definitions, after, number, exam_label),
        deed=Deed.ACCEPTED,
        done=action,
        button=_next_button(definitions, after, granted),
    )
    before = None if action == definitions.tap else _screen(situation)
    return KioskShowed(before, _said(button(action).label), _screen(accepted), number)


def _next_button(definitions: Definitions, state: str, granted: Collection[str]) -> str:
    """The button of the screen after the action: the first one that the kiosk may offer; empty where it has none."""
    rules = definitions.actions.values()
    return next((each.name for each in rules if each.name in granted and state in each.moves and not each.proof), "")


def _entry(definitions: Definitions, state: str, number: str, exam: str) -> Entry | None:
    entry_state = definitions.journey_to_queue.get(state)
    return Entry(entry_state, number, exam, live=entry_state in definitions.live) if entry_state else None


def _screen(situation: Situation) -> ShownScreen:
    words = say(situation)
    return ShownScreen(_said(words.title), _said(words.lead))


def _said(text: Text) -> Said:
    return {each.tag: _in_language(each, text) for each in _catalogs()}


def _in_language(catalog: Catalog, text: Text) -> str:
    found = catalog.messages.get(text.text, text.text)
    return (found if isinstance(found, str) else found[0]).format(**text.values)


_catalogs = cache(lambda: read_catalogs(TRANSLATIONS))
