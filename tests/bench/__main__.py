"""`make bench`: measures every figure and prints it. ARGS names some of: tap, daemon, central, backlog, days,
imports."""

from __future__ import annotations

import platform
import sqlite3
import sys
import tempfile
from pathlib import Path

from tests.bench import backlog, central, daemon, days, imports, tap
from tests.bench.figures import table

PARTS = {
    "tap": tap.measure,
    "daemon": daemon.measure,
    "central": central.measure,
    "backlog": backlog.measure,
    "days": days.measure,
    "imports": imports.measure,
}


def main(names: list[str]) -> int:
    unknown = set(names) - PARTS.keys()
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}")
    for name in names or PARTS:
        print(f"measuring: {name} …", flush=True)
        with tempfile.TemporaryDirectory(prefix="nfc-kiosk-bench-", dir=Path.cwd() / "build") as place:
            print(table(PARTS[name](Path(place) / name)))
    return 0


if __name__ == "__main__":
    (Path.cwd() / "build").mkdir(exist_ok=True)
    raise SystemExit(main(sys.argv[1:]))
