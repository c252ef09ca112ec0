"""`make bench`: measures every figure and prints it. ARGS names some of: tap, snapshot, daemon, central,
backlog, board_page, board, drain, days, imports, cards, waiting, sockets, channels, attack, postgres, chain,
hospital; or large, a snapshot for a million, or legacy, the way over of an older system."""

from __future__ import annotations

import json
import platform
import sqlite3
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.bench import (
    attack,
    backlog,
    board_page,
    boards,
    cards,
    central,
    chain,
    channels,
    daemon,
    days,
    drain,
    hospital,
    imports,
    legacy,
    postgres,
    postgres_workers,
    snapshot,
    sockets,
    tap,
    waiting,
)
from tests.bench.figures import table

BUILD = Path.cwd() / "build"
PARTS = {
    "tap": tap.measure,
    "snapshot": snapshot.measure,
    "daemon": daemon.measure,
    "central": central.measure,
    "backlog": backlog.measure,
    "board_page": board_page.measure,
    "board": boards.measure,
    "drain": drain.measure,
    "days": days.measure,
    "imports": imports.measure,
    "cards": cards.measure,
    "waiting": waiting.measure,
    "sockets": sockets.measure,
    "channels": channels.measure,
    "attack": attack.measure,
    "postgres": lambda place: [*postgres.measure(place), *postgres_workers.measure(place / "workers")],
    "chain": chain.measure,
    "hospital": hospital.measure,
}
BY_NAME = {"large": snapshot.measure_large, "legacy": legacy.measure}  # minutes of work: only where they are named


def main(names: list[str]) -> int:
    parts = PARTS | BY_NAME
    unknown = set(names) - parts.keys()
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}")
    found: dict[str, list[dict[str, str]]] = {}
    for name in names or PARTS:
        print(f"measuring: {name} …", flush=True)
        with tempfile.TemporaryDirectory(prefix="nfc-kiosk-bench-", dir=BUILD) as place:
            figures = parts[name](Path(place) / name)
        print(table(figures))
        found[name] = [asdict(figure) for figure in figures]
        (BUILD / "bench.json").write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    BUILD.mkdir(exist_ok=True)
    raise SystemExit(main(sys.argv[1:]))
