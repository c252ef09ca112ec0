"""The structure of the repository: imports between rooms, declared and locked dependencies, and the list of files."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).resolve().parent.parent
PACKAGES = ("kiosk", "sync", "hardware")

# The rules run at the kiosk, at the centre and in a replay, and must decide the same each time: nothing in
# them may read a clock, a file, a socket or chance. importlib.resources loads their own definitions.
PURE_ROOMS = ("sync.tables", "sync.journey", "sync.rebase", "sync.protocol")
# Types that a pure room may take from a module which does more.
PURE_TYPES = frozenset({"sync.cards.CardHash", "sync.cards.CardKeys", "sync.clock.ClockReading"})
PURE_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "bisect",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "hashlib",
        "hmac",
        "heapq",
        "importlib.resources",
        "itertools",
        "json",
        "math",
        "msgspec",
        "operator",
        "re",
        "string",
        "tomllib",
        "types",
        "typing",
        "unicodedata",
        "zoneinfo",
    }
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "import_module"})
IMPURE_METHODS = frozenset({"now", "utcnow", "today"})

TOP_LEVEL = frozenset(
    {
        ".ci",
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "config.example.toml",
        "docs",
        "hardware",
        "kiosk",
        "pyproject.toml",
        "sync",
        "systemd",
        "tests",
    }
)


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every import in any place: its line, and the readings of its target, the widest first.

    `from sync import agent` may name a module or a member of one: its readings are `sync` and `sync.agent`.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, (alias.name,)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, (base, f"{base}.{alias.name}")
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            yield from ((node.lineno, (name,)) for name in names[:1] if isinstance(name, str))


def impurities(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """The imports and calls of a pure module that read a clock, a file, a socket or chance, one sentence each."""
    tree = ast.parse(source)
    found = [
        f"{module}:{line} imports {readings[-1]}, and the rules do no I/O and read no clock"
        for line, readings in imports(tree, module, is_package=is_package)
        if not any(map(_is_pure, readings))
    ]
    return found + [
        f"{module}:{node.lineno} calls {_called(node)}(), and the rules do no I/O and read no clock"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _is_impure(node)
    ]


def _is_pure(module: str) -> bool:
    return module in PURE_TYPES or any(
        module == name or module.startswith(f"{name}.") for name in (*PURE_MODULES, *PURE_ROOMS)
    )


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _is_impure(node: ast.Call) -> bool:
    named = IMPURE_CALLS if isinstance(node.func, ast.Name) else IMPURE_METHODS
    return _called(node) in named


def product_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (HOUSE / package).rglob("*.py"))


def module_name(path: Path) -> tuple[str, bool]:
    """The dotted name of a file of the product, and whether it is a package's own."""
    parts = list(path.relative_to(HOUSE).with_suffix("").parts)
    return (".".join(parts[:-1]), True) if parts[-1] == "__init__" else (".".join(parts), False)


def tracked_files() -> list[str]:
    if not (HOUSE / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: there is no list of files to hold against the plan")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, check=True, text=True)
    return [name for name in listed.stdout.split("\0") if name]


def test_the_rules_do_no_io_and_read_no_clock():
    found = []
    for path in product_files():
        module, is_package = module_name(path)
        if module.startswith(PURE_ROOMS):
            found += impurities(path.read_text("utf-8"), module, is_package=is_package)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import requests",
        "import time",
        "import os",
        "import logging",
        "from socket import socket",
        "import sqlite3",
        "from importlib import import_module",
        "from pathlib import Path",
        "import sqlalchemy",
        "from datetime import datetime\nwhen = datetime.now()",
        "import datetime\nwhen = datetime.date.today()",
        "with open('x') as f:\n    pass",
        "print('x')",
        "from .. import clock",
        "from sync.clock import read_clock",
        "from sync.ids import new_id",
        "from sync import durable",
        "import kiosk.config",
    ],
)
def test_an_impure_rule_is_found(source: str):
    assert impurities(source, "sync.journey.rules")


@pytest.mark.parametrize(
    "source",
    [
        "from importlib import resources\nfrom .model import Journey\nimport tomllib, re",
        "from datetime import UTC, date\nfrom collections.abc import Mapping",
        "from sync.journey.rules import decide\nfrom sync.protocol import Change",
        "from sync.cards import CardHash\nfrom sync.clock import ClockReading",
    ],
)
def test_a_pure_rule_is_left_alone(source: str):
    assert impurities(source, "sync.journey.rules") == []


def test_no_module_is_imported_by_its_name_at_run_time():
    """import-linter does not see such an import."""
    found = []
    for path in product_files():
        tree = ast.parse(path.read_text("utf-8"))
        found += [f"{path}:{node.lineno}" for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_hidden(node)]
    assert not found, "\n".join(found)


def _is_hidden(node: ast.Call) -> bool:
    return _called(node) in {"import_module", "__import__"}


@pytest.mark.parametrize("source", ["importlib.import_module('sync.central')", "__import__('kiosk')"])
def test_an_import_at_run_time_is_found(source: str):
    assert any(isinstance(node, ast.Call) and _is_hidden(node) for node in ast.walk(ast.parse(source)))


def contracts_kept(house: Path) -> subprocess.CompletedProcess[str]:
    """The result of import-linter for the rooms of a tree."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=house, capture_output=True, check=False, text=True)


def test_every_room_imports_from_below_itself_alone():
    checked = contracts_kept(HOUSE)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("hardware/pcsc.py", "import kiosk.config", "The kiosk stands on sync"),
        ("hardware/pcsc.py", "from sync.journey import model", "The kiosk stands on sync"),
        ("sync/central/web/patient_api.py", "from kiosk import config", "The kiosk stands on sync"),
        ("sync/central/web/patient_api.py", "from ...agent import client", "The rooms of sync"),
        ("sync/clock.py", "from hardware.card import judge", "Of sync only sync.cards"),
        ("sync/cards.py", "from hardware.reader import Tap", "Of sync only sync.cards"),
        ("hardware/card.py", "from hardware.atr import read_atr", "The judge of cards"),
        ("sync/agent/cycle.py", "def later():\n    from sync.central.kiosks import push", "never see the inside"),
        ("sync/protocol.py", "from sync.rebase import rebase", "The rooms of sync"),
        ("sync/journey/rules.py", "from .. import protocol", "The rooms of sync"),
        ("sync/anywhere.py", "x = 1", "The rooms of sync"),
        ("sync/central/records/site.py", "from sync.central.services import merge", "The rooms of the centre"),
        ("sync/central/services/merge.py", "from sync.central.web import http", "The rooms of the centre"),
        ("sync/central/anything.py", "x = 1", "The rooms of the centre"),
        ("kiosk/front/visitor.py", "from hardware.reader import Tap", "Only the wiring"),
        ("kiosk/ui/app.py", "from sync.agent import cycle", "Only the wiring"),
        ("kiosk/daemon.py", "from sync.central.services import once", "never see the inside"),
        ("kiosk/store/sqlite.py", "from kiosk.daemon import Daemon", "The rooms of the kiosk"),
        ("kiosk/front/latest.py", "from kiosk.ui import app", "The rooms of the kiosk"),
    ],
)
def test_an_import_the_wrong_way_is_found(tmp_path: Path, file: str, line: str, contract: str):
    for name in PACKAGES:
        shutil.copytree(HOUSE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(HOUSE / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    checked = contracts_kept(tmp_path)
    broken = [said for said in checked.stdout.splitlines() if " BROKEN" in said]
    assert checked.returncode != 0, checked.stdout
    assert any(contract in said for said in broken), checked.stdout


def declared() -> dict[str, set[str]]:
    """The requirements of pyproject.toml by their group, in the spelling of the lock files."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))
    lists = {
        "build": project["build-system"]["requires"],
        "run": project["project"]["dependencies"],
        "dev": project["project"]["optional-dependencies"]["dev"],
    }
    return {stage: {requirement_name(line) for line in lines} for stage, lines in lists.items()}


def requirement_name(line: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", line.strip(), maxsplit=1)[0]).lower()


def locked(stage: str) -> dict[str, str]:
    """Package name to version of one lock file."""
    text = (HOUSE / f".ci/lock/{stage}.txt").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE))


def npm_lock(name: str) -> dict[str, Any]:
    return dict(json.loads((HOUSE / ".ci/lock" / name).read_text("utf-8")))


def test_every_dependency_says_what_it_is_for_and_nothing_else_does():
    text = (HOUSE / "docs/dependencies.md").read_text("utf-8")
    written = [requirement_name(name) for name in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)]
    wanted = set.union(*declared().values(), npm_lock("package.json")["dependencies"])
    assert sorted(written) == sorted(wanted)


@pytest.mark.parametrize("stage", ["build", "run", "dev"])
def test_every_dependency_is_locked_by_hash_for_its_stage(stage: str):
    assert declared()[stage] <= locked(stage).keys(), "make lock"


def test_every_package_from_npm_is_locked_by_hash():
    packages = npm_lock("package-lock.json")["packages"]
    assert packages.pop("")["dependencies"] == npm_lock("package.json")["dependencies"], "make lock"
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())


@pytest.mark.parametrize("stage", ["build", "run"])
def test_the_stages_agree_on_every_version(stage: str):
    other = locked("dev") if stage == "run" else locked("run")
    mine = locked(stage)
    assert {name: mine[name] for name in mine.keys() & other.keys()} == {
        name: other[name] for name in mine.keys() & other.keys()
    }
    assert stage != "run" or mine.keys() <= other.keys()


@pytest.mark.parametrize("stage", ["build", "run", "dev"])
def test_a_lock_names_no_index_and_no_place_of_the_machine_it_was_made_on(stage: str):
    allowed = re.compile(r"# Made by make lock.*|[a-z0-9.-]+==\S+( ; [^/\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = (HOUSE / f".ci/lock/{stage}.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not allowed.fullmatch(line)] == []


def test_the_product_imports_only_what_is_locked_for_running_it():
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    run = locked("run").keys()
    found = set()
    for path in product_files():
        module, is_package = module_name(path)
        for line, readings in imports(ast.parse(path.read_text("utf-8")), module, is_package=is_package):
            name = readings[0].split(".")[0]
            if name in sys.stdlib_module_names or name in PACKAGES:
                continue
            if not any(requirement_name(owner) in run for owner in owners.get(name, [])):
                found.add(f"{module}:{line} imports {name}")
    assert not found, "\n".join(sorted(found))


def test_every_file_lies_where_the_plan_has_a_place_for_it():
    assert {name.split("/")[0] for name in tracked_files()} <= TOP_LEVEL


def headings(document: Path) -> set[str]:
    """The headings of a document, in the form in which a link names them."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_link_of_the_documents_leads_somewhere():
    dead = []
    for name in tracked_files():
        if name.endswith(".md"):
            for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", (HOUSE / name).read_text("utf-8")):
                file = (HOUSE / name).parent / target if target else HOUSE / name
                if not file.exists() or (heading and heading not in headings(file)):
                    dead.append(f"{name}: {target}#{heading}")
    assert not dead, "\n".join(dead)


def test_nothing_is_left_half_done():
    marks = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
    left = re.compile(rf"\b({marks})\b|^(<{{7}}|>{{7}}) |\bbreakpoint\(\)|\bset_trace\(\)", re.MULTILINE)
    found = []
    for name in tracked_files():
        path = HOUSE / name
        if path.suffix in {".png", ".woff2", ".db", ".jpg", ".ico"} or not path.is_file():
            continue
        if match := left.search(path.read_text("utf-8")):
            found.append(f"{name}: {match.group()}")
    assert not found, "\n".join(found)
