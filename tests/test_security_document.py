"""docs/security.md maps every requirement of OWASP ASVS 5.0, levels 1 and 2, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
TEXT = (HOUSE / "docs/security.md").read_text("utf-8")

# How many requirements of each section are of level 1 or 2 (OWASP ASVS 5.0.0). They come first in their section.
ASVS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4,
    "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5,
    "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4,
    "17.3": 2,
}  # fmt: skip
WANTED = {f"{section}.{number}" for section, most in ASVS.items() for number in range(1, most + 1)}
STATES = ("done", "in part", "no", "does not apply")
_TEST = re.compile(r"\[(test_\w+)]\(\.\./(tests/[\w/]+\.py)\)")
NAMED = sorted(set(_TEST.findall(TEXT)))


def section(heading: str) -> str:
    """The text under a heading of the second level."""
    return TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of all tables of a text, without the head of each."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        row for row, after in zip(cells, [*cells[1:], []], strict=True) if not _is_rule(row) and not _is_rule(after)
    ]


def _is_rule(row: list[str]) -> bool:
    return bool(row) and set("".join(row)) <= {"-", ":"}


def requirements(cell: str) -> set[str]:
    """The requirements that a cell names: single ones, and whole sections or chapters as `6.2.*` and `17.*`."""
    found: set[str] = set()
    for name in cell.split(", "):
        stem = name.removesuffix("*")
        named = {each for each in WANTED if each.startswith(stem)} if stem != name else {name}
        assert named <= WANTED, f"{name} is no requirement of level 1 or 2"
        assert named, f"{name} names no requirement"
        found |= named
    return found


MAP = rows(section("OWASP ASVS 5.0"))


def test_every_requirement_of_levels_1_and_2_has_one_row():
    counted = Counter(name for row in MAP for name in requirements(row[0]))
    assert {name for name in WANTED if counted[name] != 1} == set()


def test_every_row_has_a_state_and_its_reason():
    assert [row for row in MAP if len(row) != 4 or row[1] not in STATES or not row[2]] == []


def test_what_is_done_names_its_proof():
    assert [row[0] for row in MAP if row[1] in ("done", "in part") and not row[3]] == []


@pytest.mark.parametrize("heading", ["A stolen kiosk", "Others who attack"])
def test_every_line_about_an_attack_names_its_test(heading: str):
    lines = rows(section(heading))
    assert lines != []
    assert [row[0] for row in lines if not _TEST.search(row[-1])] == []


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_a_test_that_is_named_exists(name: str, file: str):
    tree = ast.parse((HOUSE / file).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
