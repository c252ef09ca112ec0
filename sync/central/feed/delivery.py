"""The delivery of webhooks: a thread for each webhook, in the service that does the background work of all.

So a receiver that hangs holds up no other one. Where the work goes to another service, that one goes on from what the
database says.
"""

import logging
import threading

from sync.central.centre import Centre
from sync.central.feed.courier import Courier
from sync.central.records.webhooks import webhooks

log = logging.getLogger(__name__)

TICK_S = 5.0  # news wake it earlier
_GATHER_S = 0.1  # after news: what belongs together is committed by then
_END_S = 2.0  # for messages under way at a stop


class Delivery:
    """The threads, from `start()` to `stop()`."""

    def __init__(self, centre: Centre, tick_s: float = TICK_S) -> None:
        self._centre = centre
        self._tick_s = tick_s
        self._stopped = threading.Event()
        self._sending: dict[str, _Sending] = {}
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        centre.store.news.follow(self._hear, lambda: None)

    def start(self) -> None:
        """Starts the delivery."""
        self._thread.start()

    def stop(self) -> None:
        """Stops after the messages under way, where they end soon. Others come again."""
        self._stopped.set()
        self._thread.join()
        for each in self._sending.values():
            each.stop()
        for each in self._sending.values():
            each.join(_END_S)

    def _hear(self) -> None:
        """Wakes the senders. Called by the thread that has committed, so it does nothing more."""
        for each in tuple(self._sending.values()):
            each.wake()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001
                log.warning("webhooks cannot be read, and are tried again: %s", type(error).__name__)
            self._stopped.wait(self._tick_s)

    def _tick(self) -> None:
        """Has a thread for each webhook in force, and none for others."""
        wanted: set[str] = set()
        if self._centre.store.leads():
            with self._centre.store.read() as db:
                wanted = {each.webhook_id for each in webhooks(db) if each.ended_ms is None}
        for gone in self._sending.keys() - wanted:
            self._sending.pop(gone).stop()
        if not wanted:
            return
        from sync.central.feed.posting import Poster  # with `requests`, which a centre without webhooks does not need

        for new in wanted - self._sending.keys():
            self._sending[new] = _Sending(Courier(self._centre, new, Poster().post), self._tick_s)


class _Sending:
    """The thread of one webhook."""

    def __init__(self, courier: Courier, tick_s: float) -> None:
        self._courier = courier
        self._tick_s = tick_s
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    def stop(self) -> None:
        """Ends the thread after the message under way."""
        self._stopped.set()
        self._woken.set()

    def join(self, seconds: float) -> None:
        """Waits for the end; so long at most."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            if not self._step():
                self._woken.wait(self._tick_s)
                self._stopped.wait(_GATHER_S)
                self._woken.clear()

    def _step(self) -> bool:
        try:
            return self._courier.step(self._stopped.is_set)
        except Exception as error:  # noqa: BLE001
            # The text of the error could quote a row.
            log.warning("a webhook met an error, and is tried again: %s", type(error).__name__)
            return False
