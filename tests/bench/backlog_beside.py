"""A second kiosk on the machine, with an empty outbox, as a process: people tap at it while the first one drains.

It syncs nothing, so its taps are slower than at rest only by the load of the machine, which runs the draining kiosk and
the centre too. The process enrols, pulls the roster and prints "ready". It begins with the first line of its input, and
prints the durations of its taps at the end of that input.

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
    durations_s = beside.taps(lambda: not over.is_set())
    beside.kiosk.close()
    print(json.dumps(durations_s))


if __name__ == "__main__":
    main()
