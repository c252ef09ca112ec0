"""The house keeps its plan: which room imports which, what is declared and locked, what may lie in it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
PACKAGES = ("kiosk", "sync", "hardware")

# Each room, and the rooms it may import besides itself. The longest name that fits a module is its room, so
# "kiosk.daemon" has more rights than the rest of "kiosk". A module of sync/ without a row has no place yet.
# What both ends use and what knows nothing of either: ids, clocks, durable files, card hashes, the control socket.
TOOLS = ("sync.ids", "sync.clock", "sync.durable", "sync.cards", "sync.control", "sync.tables")
ROOMS: dict[str, frozenset[str]] = {
    "hardware": frozenset(),
    "sync": frozenset(),
    "sync.journey": frozenset({"sync.tables"}),
    **dict.fromkeys(TOOLS, frozenset()),
    "sync.cards": frozenset({"sync.durable"}),
    "sync.protocol": frozenset({"sync.journey", *TOOLS}),
    "sync.rebase": frozenset({"sync.journey", "sync.protocol"}),
    "sync.agent": frozenset({"sync", "sync.journey", "sync.protocol", "sync.rebase", *TOOLS}),
    "sync.central": frozenset({"sync", "sync.journey", "sync.protocol", "sync.rebase", *TOOLS}),
    "kiosk": frozenset({"sync", "sync.journey", "sync.protocol", "sync.rebase", *TOOLS}),
    # The wiring, the only part that knows the readers and the wire; the other two drive it from outside.
    **dict.fromkeys(
        ("kiosk.daemon", "kiosk.cli", "kiosk.demo"),
        frozenset(
            {"hardware", "kiosk", "kiosk.daemon", "sync", "sync.agent"}
            | {"sync.journey", "sync.protocol", "sync.rebase", *TOOLS}
        ),
    ),
}

# The rules run at the kiosk, at the centre and in a replay, and must decide the same each time: nothing in
# them may read a clock, a file, a socket or chance. importlib.resources loads their own definitions.
PURE_ROOMS = ("sync.tables", "sync.journey", "sync.rebase", "sync.protocol")
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


def room_of(module: str) -> str:
    """The longest row of ROOMS that holds the module; "" when it is none of ours."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in ROOMS:
            return name
    return ""


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every import, wherever it stands: its line, and the readings of its target, the widest first.

    `from sync import agent` may name a module or a thing inside one: it reads as `sync` and `sync.agent`.
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


def turned_arrows(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What the module imports, reads or calls against the plan of the house, one sentence each."""
    tree = ast.parse(source)
    home = room_of(module)
    found = [] if _has_place(module, home, is_package=is_package) else [f"{module} has no row in ROOMS"]
    for line, readings in imports(tree, module, is_package=is_package):
        target = readings[-1]
        room = room_of(target)
        if room and room != home and room not in ROOMS[home]:
            found.append(f"{module}:{line} imports {target}, which {home} must not know")
        if home in PURE_ROOMS and not room and not any(_is_pure(reading) for reading in readings):
            found.append(f"{module}:{line} imports {target}, and {home} does no I/O and reads no clock")
    if home in PURE_ROOMS:
        found += [
            f"{module}:{node.lineno} calls {_called(node)}(), and {home} does no I/O and reads no clock"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and _is_impure(node)
        ]
    return found


def _has_place(module: str, home: str, *, is_package: bool) -> bool:
    return home not in {"", "sync"} or (module == "sync" and is_package)


def _is_pure(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in PURE_MODULES)


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


def test_no_arrow_between_the_rooms_turns_round():
    found = []
    for path in product_files():
        module, is_package = module_name(path)
        found += turned_arrows(path.read_text("utf-8"), module, is_package=is_package)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hardware.pcsc", "import kiosk.config"),
        ("hardware.pcsc", "from sync.journey import model"),
        ("sync.central.web.patient_api", "from kiosk import config"),
        ("sync.central.web.patient_api", "from sync import agent"),
        ("sync.central.web.patient_api", "from ...agent import client"),
        ("sync.central.web.patient_api", "from ... import agent"),
        ("sync.agent.cycle", "import sync.central.store.sqlite"),
        ("sync.agent.cycle", "def later():\n    from sync.central.kiosks import push"),
        ("sync.agent.cycle", "if TYPE_CHECKING:\n    import kiosk.store"),
        ("sync.agent.cycle", "importlib.import_module('sync.central')"),
        ("sync.protocol", "from sync.rebase import rebase"),
        ("sync.protocol", "import requests"),
        ("sync.rebase", "from sync.agent import backoff"),
        ("sync.rebase", "import time"),
        ("sync.journey.rules", "from sync import protocol"),
        ("sync.journey.rules", "from .. import clock"),
        ("sync.journey.rules", "import os"),
        ("sync.journey.rules", "import logging"),
        ("sync.journey.rules", "from socket import socket"),
        ("sync.journey.rules", "import sqlite3"),
        ("sync.journey.rules", "from importlib import import_module"),
        ("sync.journey.rules", "from pathlib import Path"),
        ("sync.journey.rules", "import sqlalchemy"),
        ("sync.journey.rules", "from datetime import datetime\nwhen = datetime.now()"),
        ("sync.journey.rules", "import datetime\nwhen = datetime.date.today()"),
        ("sync.journey.rules", "with open('x') as f:\n    pass"),
        ("sync.journey.rules", "print('x')"),
        ("sync.anywhere", "x = 1"),
        ("kiosk.journey.journeys", "from hardware.reader import Tap"),
        ("kiosk.journey.journeys", "import sync.agent.client"),
        ("kiosk.ui.app", "from sync.agent import cycle"),
        ("kiosk.daemon", "from sync.central.services import journey_service"),
        ("kiosk.store.sqlite", "from kiosk.daemon import Daemon"),
        ("kiosk.demo.story", "from sync.central.services import demo_hospital"),
    ],
)
def test_an_arrow_the_wrong_way_is_found(module: str, source: str):
    assert turned_arrows(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hardware.pcsc", "import smartcard\nfrom hardware.reader import Tap\nfrom . import card"),
        (
            "sync.journey.rules",
            "from importlib import resources\nfrom .model import Journey\nimport tomllib, re",
        ),
        ("sync.journey.rules", "from datetime import UTC, date\nfrom collections.abc import Mapping"),
        ("sync.rebase", "from sync.journey.rules import decide\nfrom sync.protocol import Change"),
        ("sync.clock", "import time"),
        ("sync.agent.client", "import requests\nfrom sync import protocol, rebase"),
        ("sync.central.store.sqlite", "import sqlalchemy\nfrom sync.journey import model"),
        ("kiosk.journey.journeys", "from sync.journey.rules import decide\nfrom kiosk.store.sqlite import Store"),
        ("kiosk.daemon", "from hardware.pcsc import PcscReader\nfrom sync.agent.cycle import run_once"),
    ],
)
def test_an_arrow_the_right_way_is_left_alone(module: str, source: str):
    assert turned_arrows(source, module) == []


def declared() -> dict[str, set[str]]:
    """The requirements of pyproject.toml by where they are needed: names as the lock files write them."""
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


def test_every_dependency_says_what_it_is_for_and_nothing_else_does():
    text = (HOUSE / "docs/dependencies.md").read_text("utf-8")
    written = [requirement_name(name) for name in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)]
    wanted = set.union(*declared().values())
    assert sorted(written) == sorted(wanted)


@pytest.mark.parametrize("stage", ["build", "run", "dev"])
def test_every_dependency_is_locked_by_hash_for_its_stage(stage: str):
    assert declared()[stage] <= locked(stage).keys(), "make lock"


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


def test_every_link_of_the_documents_leads_somewhere():
    dead = []
    for name in tracked_files():
        if name.endswith(".md"):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (HOUSE / name).read_text("utf-8")):
                if not ((HOUSE / name).parent / target).exists():
                    dead.append(f"{name}: {target}")
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
