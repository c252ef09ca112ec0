"""A second kiosk on the machine, with an empty outbox, as a process: people tap at it while the first one drains.

What its taps take longer than at rest is the machine's doing, which carries the kiosk that drains and the centre too,
and not that of a sync in its own store. Enrols, pulls the roster, prints "ready", begins with the first line of its
input, and at the end of that prints what its taps took.

python -m tests.bench.backlog_beside DIRECTORY URL CODE
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from tests.bench.backlog_kiosk import Drain


def main() -> None:
    directory, url, code = sys.argv[1:]
    Path(directory).mkdir(parents=True)
    beside = Drain(Path(directory), url, code)
    beside.pull()
    print("ready", flush=True)
    sys.stdin.readline()
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    taken = beside.taps(lambda: not over.is_set())
    beside.kiosk.close()
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
