"""How a call to the centre runs beside what the kiosk does with the answer before it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

Begin = Callable[[Callable[[], T]], Callable[[], T]]  # begins a call, and returns the way to wait for its outcome


def at_once(call: Callable[[], T]) -> Callable[[], T]:
    """Makes the whole call before anything else goes on."""
    outcome = call()
    return lambda: outcome


def in_thread(call: Callable[[], T]) -> Callable[[], T]:
    """Makes the call in a thread of its own. Returns what waits for its outcome, and raises what it raised."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 (the caller who waits gets it)
            outcome.set_exception(error)

    threading.Thread(target=run, name="sync push", daemon=True).start()
    return outcome.result
