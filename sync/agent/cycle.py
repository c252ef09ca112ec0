"""The sync agent: push and pull, each in a driver of its own. Neither waits for the other, and no tap waits for it."""

import logging
import random
import threading
import time
from collections.abc import Callable

from sync.agent.backoff import CAP_S
from sync.agent.client import CentralClient
from sync.agent.driver import Driver
from sync.agent.first_calls import FirstCalls
from sync.agent.ledger import Ledger
from sync.agent.overlap import in_thread
from sync.agent.reachability import RETRY_WITHIN_S, Reachability
from sync.agent.renewal import Renewal, Tokens
from sync.agent.steps import LONG_POLL_S, Puller, Pusher, StepResult
from sync.agent.versions import Negotiation
from sync.journey.model import PatientId
from sync.protocol import SUPPORTED_VERSIONS, DeskAsk, EndCode

log = logging.getLogger(__name__)

PUSH, PULL = "push", "pull"
SAFETY_TIMER_S = 30.0  # the longest time between two pushes, in case a call of `push_soon` was lost
# The screen of an action is sent first: a push takes the interpreter from the page's thread for milliseconds.
GATHER_S = 0.02
PAUSE_S = 1.0  # after a page without news: limits the calls to a centre that holds no call open


class Agent:
    """Both drivers, and what the kiosk's status says of the centre."""

    def __init__(
        self,
        ledger: Ledger,
        connect: Callable[[], CentralClient],
        announce: Callable[[frozenset[PatientId]], object],
        chance: random.Random | None = None,
        versions: frozenset[int] = SUPPORTED_VERSIONS,
        wait_s: float = LONG_POLL_S,
        monotonic: Callable[[], float] = time.monotonic,
        tokens: Tokens | None = None,
        hear_desk: Callable[[DeskAsk | None], object] = lambda _: None,
    ) -> None:
        """`connect` makes a client with the present token, for each thread. `announce` gets the patients that a step
        has touched. It gets none where only online/offline or `refusal` has changed. `versions` are the versions of
        the protocol that this end speaks. The centre may hold a pull for `wait_s` seconds. `monotonic` returns seconds.
        Without `tokens` the kiosk has one token, which it never renews. `hear_desk` gets what each page says of a card
        that the desk awaits.
        """
        self._ledger = ledger
        self._connect = connect
        self._announce = announce
        self._versions = versions
        self._wait_s = wait_s
        self._monotonic = monotonic
        chance = chance or random.Random()  # noqa: S311 - jitter is no secret
        self._first_calls = FirstCalls(chance)
        self._lock = threading.Lock()
        self._outcome = threading.Condition(self._lock)
        self._stopping = False
        self._shown = False  # the value of `online` that was announced last
        self._reachability = Reachability()
        self._reasons = {PUSH: "", PULL: ""}
        self._refusals: dict[str, EndCode | None] = {PUSH: None, PULL: None}
        self._clock_watcher = threading.Thread(target=self._watch_clock, name="sync reachability", daemon=True)
        self._clients: list[CentralClient] = []
        self._steps: dict[str, Pusher | Puller] = {}
        self._tokens = tokens
        self._hear_desk = hear_desk
        self._renewal = Renewal(ledger, tokens, monotonic) if tokens else None
        self._token_changes = 0
        self._connected_at: dict[str, int] = {}  # the number of token changes at the making of each client
        self._drivers = {
            PUSH: Driver(
                "sync push", lambda: self.step(PUSH), SAFETY_TIMER_S, chance, self._longest_backoff_s, GATHER_S
            ),
            PULL: Driver("sync pull", lambda: self.step(PULL), PAUSE_S, chance, self._longest_backoff_s),
        }

    @property
    def online(self) -> bool:
        """Whether the centre answers, as it is shown to people: with hysteresis in time."""
        with self._lock:
            return self._reachability.at(self._monotonic()).online

    @property
    def refusal(self) -> EndCode | None:
        """`ended`, `not_known` or `replaced`, where the centre said so to the last call; else None."""
        return next((refusal for refusal in self._refusals.values() if refusal), None)

    @property
    def reason(self) -> str:
        """Why the last failed step failed, in a few words; empty where both last steps succeeded."""
        return next((reason for reason in self._reasons.values() if reason), "")

    @property
    def renewal_fault(self) -> str:
        """Why the last renewal of the token failed, and what helps; empty where it succeeded."""
        return self._renewal.reason if self._renewal else ""

    def start(self) -> None:
        """Starts the threads."""
        self._clock_watcher.start()
        for driver in self._drivers.values():
            driver.start()

    def push_soon(self) -> None:
        """Starts a push now, if no push is under way and none waits for a backoff."""
        self._drivers[PUSH].wake()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Ends both drivers. A call under way is cancelled, which loses nothing: the kiosk sends it again later."""
        for driver in self._drivers.values():
            driver.stop()
        with self._lock:
            self._stopping = True
            self._outcome.notify()
            clients = list(self._clients)
        for client in clients:
            client.abort()
        for driver in self._drivers.values():
            driver.join(timeout_s)
        if self._clock_watcher.is_alive():
            self._clock_watcher.join(timeout_s)
        for client in clients:
            client.close()

    def step(self, name: str) -> StepResult:
        """One step of PUSH or PULL, in this thread. An exception, such as a full disk, is a failed step: it never ends
        a driver. The first pull of a day waits first."""
        if name == PULL and (wait_s := self._first_calls.wait_s(self._ledger.identity, self._ledger.clock().wall_ms)):
            return StepResult(retry_after_s=wait_s)
        try:
            result = self._after_token(self._stepper(name).run_once())
        except Exception as error:
            if self._drivers[name].stopping:
                return StepResult()
            log.exception("sync %s failed", name)
            result = StepResult(failed=True, reason=type(error).__name__)
        if self._drivers[name].stopping:
            return result
        has_news = self._note(name, result)
        if has_news or result.touched:
            self._announce(result.touched)
        if result.has_page:
            self._hear_desk(result.desk_ask)
        if result.renew_token and not self._drivers[name].stopping:
            self._renew()
        if name == PULL and result.touched and self._ledger.has_pending():
            # The page may come from a restored centre. The actions that it lacks are pushed before the safety timer
            # ends.
            self.push_soon()
        return result

    def _after_token(self, result: StepResult) -> StepResult:
        """The result of a step, or another try at once, where the kiosk has another token than the one refused."""
        if self._tokens and result.refused_token and self._tokens.refuse(result.refused_token):
            self._change_token()
            return StepResult(again=True)
        if self._tokens and result.reached:
            self._tokens.accept()
        return result

    def _renew(self) -> None:
        """Asks for a newer token, in this thread. A failure fails no step: the present token is valid."""
        puller = self._steps[PULL]
        try:
            if self._renewal and self._renewal.run_once(puller.client, puller.versions):
                self._change_token()
        except Exception:
            log.exception("the renewal of the token failed")

    def _change_token(self) -> None:
        with self._lock:
            self._token_changes += 1

    def _stepper(self, name: str) -> Pusher | Puller:
        """The step of that name. It gets its client at its first use, since the file of the token may be away, and
        another one after each change of the token."""
        with self._lock:
            changes, step = self._token_changes, self._steps.get(name)
        if step is None or self._connected_at[name] != changes:
            client = self._client(name, step.client if step else None)
            step = self._steps[name] = self._with_client(name, step, client)
            self._connected_at[name] = changes
        return step

    def _client(self, name: str, former: CentralClient | None) -> CentralClient:
        """A client with the present token, in place of the former one."""
        client = self._connect()
        with self._lock:
            self._clients = [each for each in self._clients if each is not former] + [client]
        if former is not None:
            former.close()
        if self._drivers[name].stopping:
            client.abort()  # stop() has aborted the earlier clients already
        return client

    def _with_client(self, name: str, step: Pusher | Puller | None, client: CentralClient) -> Pusher | Puller:
        if step is not None:
            step.client = client
            return step
        versions = Negotiation(self._versions)
        if name == PUSH:
            return Pusher(self._ledger, client, versions=versions, begin=in_thread)
        return Puller(self._ledger, client, self._wait_s, versions=versions)

    def _note(self, name: str, result: StepResult) -> bool:
        """Notes the reason and the reachability after a step. Returns whether there is something to announce."""
        is_fault = result.failed or result.retry_after_s is not None
        before, reason = self._reasons[name], result.reason if is_fault else ""
        if reason and reason != before:
            log.warning("sync %s: %s", name, reason)
        self._reasons[name] = reason
        if before and not reason:
            for driver in self._drivers.values():
                driver.end_backoff()
            pusher = self._steps.get(PUSH)
            if name == PULL and isinstance(pusher, Pusher):
                # What refused the pulls may have refused actions as well.
                pusher.try_parked_soon()
        refused_before, self._refusals[name] = self._refusals[name], result.refusal
        with self._lock:
            if name == PULL:
                self._reachability = self._after_pull(result)
                self._outcome.notify()
            # What follows the end of a kiosk may fail, and is tried again after each step.
            return self._has_turned() or refused_before != result.refusal or result.refusal is EndCode.ENDED

    def _after_pull(self, result: StepResult) -> Reachability:
        """The reachability after a pull. A push says nothing of the roster, and one body may fail for its own sake."""
        if result.reached is None:
            return self._reachability
        if result.reached and not result.failed:
            return self._reachability.after_answer(self._monotonic(), is_current=result.is_current)
        return self._reachability.after_failure(self._monotonic())

    def _has_turned(self) -> bool:
        """Whether `online` differs from what was announced last. The caller holds the lock, and announces it."""
        self._reachability = self._reachability.at(self._monotonic())
        before, self._shown = self._shown, self._reachability.online
        return before != self._shown

    def _watch_clock(self) -> None:
        """Announces the changes of `online` that come by time alone, between two calls."""
        while True:
            with self._lock:
                while not self._stopping and not self._has_turned():
                    changes_at_s = self._reachability.changes_at_s
                    self._outcome.wait(None if changes_at_s is None else max(0.0, changes_at_s - self._monotonic()))
                if self._stopping:
                    return
            self._announce(frozenset())

    def _longest_backoff_s(self) -> float:
        with self._lock:
            return RETRY_WITHIN_S if self._reachability.is_in_doubt else CAP_S
