"""The entry of a worker's process. The gateway starts it with the number of the link's file."""

import gc
import signal
import socket
import sqlite3
import sys
from contextlib import suppress


def main() -> int:
    """Serves as the plan on the standard input says. The gateway tells the operator why that is not possible."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the gateway too, which ends the link
    gc.disable()  # until the worker serves
    # Imported here, since all of it takes half a second.
    import msgspec

    from sync.central.frames import NotOpened, encode
    from sync.central.store.errors import StoreError
    from sync.central.worker.parts import OpenCentre
    from sync.central.worker.plan import Plan
    from sync.central.worker.process import run_worker
    from sync.logs import log_to_stderr

    log_to_stderr()
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    link = socket.socket(fileno=int(sys.argv[1]))
    try:
        run_worker(link, lambda: OpenCentre(plan))
    except sqlite3.Error as error:
        reason = f"the database: {error}"
    except (StoreError, OSError) as error:
        reason = str(error)
    else:
        return 0
    with suppress(OSError):
        link.sendall(encode(NotOpened(reason)))
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
