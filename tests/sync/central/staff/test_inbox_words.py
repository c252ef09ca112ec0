"""Every kind of case has its words, and so has every name of the definitions that a case may tell."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sync.central.conflicts import rejudge, resolve
from sync.central.kiosks import quarantine
from sync.central.records import cases
from sync.central.web.staff import pages
from sync.protocol import Code
from tests.sync.journey.samples import RULES

STATIC = Path(pages.__file__).with_name("static")


def keys_of(file: str, table: str) -> set[str]:
    """The names that a table of a script has words for."""
    text = (STATIC / file).read_text("utf-8")
    found = re.search(rf"const {table} = \{{(.*?)\n?\}};", text, re.DOTALL)
    assert found is not None
    entries = re.sub(r"\{[^{}]*\}", "N_(", found[1])  # the words of one name
    return set(re.findall(r"(\w+): N_\(", entries))


def codes_for_staff() -> set[str]:
    """Every code that a case may have: those without a verdict, and those with which an action waits for staff."""
    own = {value for name, value in vars(cases).items() if name.isupper() and isinstance(value, str) and name[0] != "_"}
    of_verdicts = set()
    for module in (resolve, rejudge, quarantine):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Code":
                of_verdicts.add(Code[node.attr])
    ended = {Code.OK, Code.ALREADY_SO, Code.VISIT_ALIAS, Code.MOVED_ON, Code.EARLIER_LEG, Code.LATE, Code.DISCARDED}
    return own | {each.value for each in of_verdicts - ended}


def test_every_kind_of_case_has_a_title_what_happened_and_what_to_check():
    assert keys_of("inbox_words.js", "CASES") == codes_for_staff()
    text = (STATIC / "inbox_words.js").read_text("utf-8")
    for part in ("title", "happened", "check"):
        assert len(re.findall(rf"\n    {part}: N_\(", text)) == len(codes_for_staff())


@pytest.mark.parametrize(
    ("file", "table", "names"),
    [
        ("states.js", "JOURNEYS", RULES.journey_states),
        ("states.js", "ENTRIES", RULES.queue_states),
        ("states.js", "BOOKINGS", RULES.appointment_states),
        ("states.js", "KINDS", list(RULES.priorities)),
        ("inbox_names.js", "STEPS", [each.name for each in RULES.actions.values() if "patient" in each.by]),
    ],
)
def test_every_name_of_the_definitions_has_its_word(file: str, table: str, names: list[str]):
    assert keys_of(file, table) == set(names)
