"""The sync agent: push and pull, each a driver of its own. Neither waits for the other, and a tap for neither."""

import logging
import random
import threading
from collections.abc import Callable

from sync.agent.backoff import Reachability
from sync.agent.client import CentralClient
from sync.agent.driver import Driver
from sync.agent.ledger import Ledger
from sync.agent.steps import Puller, Pusher, StepResult
from sync.journey.model import PatientId

log = logging.getLogger(__name__)

PUSH, PULL = "push", "pull"
SAFETY_TIMER_S = 30.0  # a push is tried this often, whatever was or was not signalled
PAUSE_S = 1.0  # after a page without news, so that a centre that never holds a call is not asked without end


class Agent:
    """Both drivers, and what people are told of the centre."""

    def __init__(
        self,
        ledger: Ledger,
        connect: Callable[[], CentralClient],
        announce: Callable[[frozenset[PatientId]], object],
        chance: random.Random | None = None,
    ) -> None:
        """`connect` makes a client for each thread; `announce` hears whom a step touched (nobody, when only
        online/offline changed)."""
        self._ledger = ledger
        self._connect = connect
        self._announce = announce
        chance = chance or random.Random()  # noqa: S311 - jitter is no secret
        self._lock = threading.Lock()
        self._reachability = Reachability()
        self._reasons = {PUSH: "", PULL: ""}
        self._clients: list[CentralClient] = []
        self._steps: dict[str, Pusher | Puller] = {}
        self._drivers = {
            PUSH: Driver("sync push", lambda: self.step(PUSH), SAFETY_TIMER_S, chance),
            PULL: Driver("sync pull", lambda: self.step(PULL), PAUSE_S, chance),
        }

    @property
    def online(self) -> bool:
        """Whether the centre has been answering of late."""
        return self._reachability.online

    @property
    def reason(self) -> str:
        """Why the last failed step failed, in a word; empty while all is well."""
        return next((reason for reason in self._reasons.values() if reason), "")

    def start(self) -> None:
        """Starts both threads."""
        for driver in self._drivers.values():
            driver.start()

    def nudge(self) -> None:
        """There is something to push."""
        self._drivers[PUSH].nudge()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Ends both; a call under way is cut, which loses nothing: its outcome is asked for again."""
        for driver in self._drivers.values():
            driver.stop()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.abort()
        for driver in self._drivers.values():
            driver.join(timeout_s)
        for client in clients:
            client.close()

    def step(self, name: str) -> StepResult:
        """One step of PUSH or PULL, in this thread. An exception (a full disk, say) is a failed step, never the end of
        a driver."""
        try:
            stepped = self._stepper(name).run_once()
        except Exception as error:
            if self._drivers[name].stopping:
                return StepResult()
            log.exception("sync %s failed", name)
            stepped = StepResult(failed=True, reason=type(error).__name__)
        if self._drivers[name].stopping:
            return stepped
        turned = self._note(name, stepped)
        if turned or stepped.touched:
            self._announce(stepped.touched)
        if name == PULL and stepped.touched and self._ledger.has_pending():
            # A restored centre was heard of, it may be: what it misses is to be sent at once, not by the safety timer.
            self.nudge()
        return stepped

    def _stepper(self, name: str) -> Pusher | Puller:
        """The step of that name, with a client of its own, made at its first use (the token's file may be away)."""
        if name not in self._steps:
            client = self._connect()
            with self._lock:
                self._clients.append(client)
            if self._drivers[name].stopping:
                client.abort()  # made after stop() has cut the others
            self._steps[name] = Pusher(self._ledger, client) if name == PUSH else Puller(self._ledger, client)
        return self._steps[name]

    def _note(self, name: str, stepped: StepResult) -> bool:
        """Keeps what people are told; True where online/offline changed."""
        before, reason = self._reasons[name], stepped.reason if stepped.failed else ""
        if reason and reason != before:
            log.warning("sync %s: %s", name, reason)
        self._reasons[name] = reason
        if before and not reason:
            for driver in self._drivers.values():
                driver.hope()
        if stepped.reached is None:
            return False
        with self._lock:
            was = self._reachability
            self._reachability = was.after(stepped.reached)
            return was.online != self._reachability.online
