"""How a call to the centre runs beside what the kiosk does with the answer before it.

Both want the interpreter, which a thread gets back milliseconds after each step that waits. So the call goes alone
until its request is on the way, and the centre works meanwhile.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

LEAVES_WITHIN_S = 0.05  # on a wire that takes the request so slowly, nothing waits for it

Call = Callable[[Callable[[], None]], T]  # gets the function that it calls once its request is on the way
Begin = Callable[[Call[T]], Callable[[], T]]  # begins a call, and returns the way to wait for its outcome


def at_once(call: Call[T]) -> Callable[[], T]:
    """Makes the whole call before anything else goes on."""
    outcome = call(lambda: None)
    return lambda: outcome


def in_thread(call: Call[T], leaves_within_s: float = LEAVES_WITHIN_S) -> Callable[[], T]:
    """Makes the call in a thread of its own. Returns what waits for its outcome, and raises what it raised.

    It returns once the request is on the way, or after `leaves_within_s`.
    """
    outcome: Future[T] = Future()
    has_left = threading.Event()

    def run() -> None:
        try:
            outcome.set_result(call(has_left.set))
        except BaseException as error:  # noqa: BLE001 (the caller who waits gets it)
            outcome.set_exception(error)
        finally:
            has_left.set()

    threading.Thread(target=run, name="sync push", daemon=True).start()
    has_left.wait(leaves_within_s)
    return outcome.result
