"""No code uses a name of the definitions: a site that renames an action or a state would break such code.

The words are the exception: a name that they do not know gets general words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.journey.model import BuiltIn, Trigger

from .samples import RULES

HOUSE = Path(__file__).parents[3]
DATA = ("kiosk/demo/", "sync/central/services/demo_hospital.py")  # invented people, who follow the shipped definitions
WORDS = ("sync/words/table.py", "sync/words/notes.py", "sync/words/names.py")
DEFINED = {
    *RULES.actions,
    *RULES.journey_states,
    *RULES.queue_states,
    *RULES.appointment_states,
    *RULES.kiosks,
}
OWN = {*Trigger, *BuiltIn}

# The same letters with another meaning: places of the words, a verdict's code, a field of the demo's people.
OTHERWISE = {
    ("sync/words/words.py", "exit"),
    ("sync/words/words.py", "payment"),
    ("sync/protocol.py", "cancelled"),
    ("sync/central/commands/demo.py", "booked"),
    ("sync/journey/definitions.py", "entrance"),  # the one kind that every site has
    ("sync/central/records/audit_kinds.py", "take_back"),  # a kind of the audit's rows
    ("sync/central/records/card_layers.py", "waiting"),  # a table
    ("sync/central/records/deciders.py", "legacy"),  # who decides an action
    ("sync/central/web/shadow_api.py", "legacy"),  # the channel of another system's word
    ("sync/central/feed/events.py", "arrived"),  # a type of event, as those of the model
    ("sync/central/records/desk_cards.py", "cancelled"),  # how the wait for a card ended, as in the next one
    ("sync/central/desk/next_card.py", "cancelled"),
    ("sync/central/records/duties.py", "exam_room"),  # what a person does
    ("sync/journey/model.py", "called"),
    ("sync/journey/model.py", "completed"),
    ("sync/journey/model.py", "no_show"),
    ("sync/journey/model.py", "cancelled"),
}
SCRIPTS_OTHERWISE = {("daemon.js", "waiting")}  # what a connection does


def words(source: str) -> Iterator[str]:
    """The strings of a module that are one word, and the words in quotes inside its SQL."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
            yield from re.findall(r"'(\w+)'", node.value)


def product() -> list[Path]:
    files = [path for package in ("kiosk", "sync", "hardware") for path in sorted((HOUSE / package).rglob("*.py"))]
    return [path for path in files if not path.relative_to(HOUSE).as_posix().startswith((*DATA, *WORDS))]


@pytest.mark.parametrize("path", product(), ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_no_module_names_an_action_a_state_or_a_trigger(path: Path):
    name = path.relative_to(HOUSE).as_posix()
    forbidden = DEFINED if name == "sync/journey/model.py" else DEFINED | OWN
    found = {word for word in words(path.read_text("utf-8")) if word in forbidden}
    assert {word for word in found if (name, word) not in OTHERWISE} == set()


def test_no_script_of_the_page_names_one():
    scripts = {path.name: path.read_text("utf-8") for path in (HOUSE / "kiosk/ui/static").rglob("*.js")}
    assert "states.js" in scripts
    named = {(name, word) for name, text in scripts.items() for word in re.findall(r"[\"'`](\w+)[\"'`]", text)}
    assert named >= SCRIPTS_OTHERWISE
    assert {each for each in named if each[1] in DEFINED | OWN} == SCRIPTS_OTHERWISE


def test_the_exceptions_still_stand_where_they_are_said_to_stand():
    for name, word in OTHERWISE:
        assert word in words((HOUSE / name).read_text("utf-8")), (name, word)
