"""The table of conflicts names existing tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVELS = 3
_ROW = re.compile(r"^\| (\d+) \|.*$", re.MULTILINE)
_TEST = re.compile(r"\[(test_\w+)]\(\.\./(tests/[\w/]+\.py)\)")


def section() -> str:
    """The text of the section "Conflicts"."""
    text = (ROOT / "docs/reliability.md").read_text("utf-8")
    return text.split("\n## Conflicts\n")[1].split("\n## ")[0]


def rows() -> dict[int, list[list[tuple[str, str]]]]:
    """The tests in each row of a case, as (name, file)."""
    found: dict[int, list[list[tuple[str, str]]]] = {}
    for row in _ROW.finditer(section()):
        found.setdefault(int(row[1]), []).append(_TEST.findall(row[0]))
    return found


NAMED = sorted({test for each in rows().values() for row in each for test in row})


def test_all_eighteen_cases_are_tried_at_three_levels():
    assert {case: len(tried[0]) for case, tried in rows().items()} == dict.fromkeys(range(1, 19), LEVELS)


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_a_test_that_is_named_exists(name: str, file: str):
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
