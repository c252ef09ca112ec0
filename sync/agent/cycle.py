"""Push and pull, each as one step and a driver that repeats it. Neither waits for the other, and a tap for neither."""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.agent.backoff import Reachability, full_jitter
from sync.agent.client import CentralClient, NoUse
from sync.agent.ledger import Ledger, Standpoint
from sync.journey.model import PatientId
from sync.protocol import MAX_BATCH, PROTOCOL_VERSION, CallRefused, EndCode, PullRequest, PushRequest

log = logging.getLogger(__name__)

LONG_POLL_S = 25.0
SAFETY_TIMER_S = 30.0  # a push is tried this often while something is pending, whatever was or was not signalled


@dataclass(frozen=True, slots=True)
class Stepped:
    """One step's outcome. `again`: there is more to do at once. `failed`: wait by the backoff before the next."""

    touched: frozenset[PatientId] = frozenset()
    again: bool = False
    failed: bool = False
    reached: bool = True
    retry_after_s: float | None = None
    reason: str = ""


@dataclass(slots=True)
class Pusher:
    """Pushes the outbox, a batch a step. After failures the batch is halved, so that one action that the centre
    chokes on does not hold back the others for long."""

    ledger: Ledger
    client: CentralClient
    limit: int = MAX_BATCH
    _expected_seq: int | None = field(default=None, init=False)

    def run_once(self) -> Stepped:
        """Pushes the next batch, if there is one, and settles its verdicts."""
        identity = self.ledger.identity
        actions = self.ledger.batch(self.limit, self._expected_seq) if identity else []
        if identity is None or not actions:
            self._expected_seq = None
            return Stepped(again=bool(identity and self.ledger.pending()))
        outcome = self.client.push(
            PushRequest(
                protocol_version=PROTOCOL_VERSION,
                kiosk_id=identity.kiosk_id,
                epoch=identity.epoch,
                now=self.ledger.clock(),
                server_incarnation=identity.server_incarnation,
                actions=actions,
            )
        )
        if isinstance(outcome, NoUse):
            self.limit = max(1, self.limit // 2)
            return Stepped(failed=True, reached=False, retry_after_s=outcome.retry_after_s, reason=outcome.reason)
        if isinstance(outcome, CallRefused):
            return self._refused(outcome)
        self._expected_seq = None
        self.limit = min(MAX_BATCH, self.limit * 2)
        touched = self.ledger.settle(outcome.answer.verdicts)
        return Stepped(touched, again=self.ledger.pending() > 0, failed=not outcome.answer.verdicts)

    def _refused(self, refused: CallRefused) -> Stepped:
        if refused.code is EndCode.GAP and refused.expected_seq is not None:
            repeated = self._expected_seq == refused.expected_seq
            self._expected_seq = refused.expected_seq
            return Stepped(again=not repeated, failed=repeated, reason="gap")
        if refused.code is EndCode.FORK and refused.epoch is not None:
            self._expected_seq = None
            self.ledger.start_epoch(refused.epoch)
            return Stepped(again=True, reason="fork")
        return _end(refused)


@dataclass(slots=True)
class Puller:
    """Pulls pages until there is nothing new, then lets the centre hold the call."""

    ledger: Ledger
    client: CentralClient
    wait_s: float = LONG_POLL_S

    def run_once(self) -> Stepped:
        """Pulls one page and adopts it."""
        identity = self.ledger.identity
        if identity is None:
            return Stepped(failed=True, reached=False, reason="not enrolled")
        outcome = self.client.pull(_pull_request(identity, self.wait_s))
        if isinstance(outcome, NoUse):
            return Stepped(failed=True, reached=False, retry_after_s=outcome.retry_after_s, reason=outcome.reason)
        if isinstance(outcome, CallRefused):
            return _end(outcome)
        page = outcome.answer
        touched = self.ledger.adopt(page)
        if touched is None:
            return Stepped(again=True, reason="a page that does not start at the cursor was thrown away")
        return Stepped(touched, again=True, retry_after_s=page.retry_after_s)


def _pull_request(identity: Standpoint, wait_s: float) -> PullRequest:
    return PullRequest(
        protocol_version=PROTOCOL_VERSION,
        kiosk_id=identity.kiosk_id,
        epoch=identity.epoch,
        cursor=identity.cursor,
        server_incarnation=identity.server_incarnation or None,
        definitions_version=identity.definitions_version,
        wait_s=wait_s,
    )


def _end(refused: CallRefused) -> Stepped:
    return Stepped(failed=True, retry_after_s=refused.retry_after_s, reason=refused.code)


class Agent:
    """The two drivers, each a thread of its own, and what people are told of the centre."""

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
        self._chance = chance or random.Random()  # noqa: S311 - jitter is no secret
        self._stop = threading.Event()
        self._work = threading.Event()
        self._lock = threading.Lock()
        self._reachability = Reachability()
        self._reasons: dict[str, str] = {}
        self._clients: list[CentralClient] = []
        self._threads: list[threading.Thread] = []

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
        for name, step in (("push", self._push_driver), ("pull", self._pull_driver)):
            thread = threading.Thread(target=step, name=f"sync {name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def nudge(self) -> None:
        """There is something to push."""
        self._work.set()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Ends both; a call under way is abandoned, which loses nothing: its outcome is asked for again."""
        self._stop.set()
        self._work.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def _push_driver(self) -> None:
        pusher, failures = Pusher(self._ledger, self._connect()), 0
        while not self._stop.is_set():
            self._work.clear()
            stepped = self._step("push", pusher.run_once)
            failures = failures + 1 if stepped.failed else 0
            if stepped.failed:
                self._stop.wait(full_jitter(failures, self._chance, stepped.retry_after_s))
            elif not stepped.again:
                self._work.wait(SAFETY_TIMER_S)

    def _pull_driver(self) -> None:
        puller, failures = Puller(self._ledger, self._connect()), 0
        while not self._stop.is_set():
            stepped = self._step("pull", puller.run_once)
            failures = failures + 1 if stepped.failed else 0
            if stepped.failed:
                self._stop.wait(full_jitter(failures, self._chance, stepped.retry_after_s))
            elif stepped.retry_after_s:
                self._stop.wait(min(stepped.retry_after_s, SAFETY_TIMER_S))

    def _step(self, name: str, run_once: Callable[[], Stepped]) -> Stepped:
        """One step. An exception (a full disk, say) is a failed step, never the end of the thread."""
        try:
            stepped = run_once()
        except Exception as error:
            log.exception("sync %s failed", name)
            stepped = Stepped(failed=True, reached=False, reason=type(error).__name__)
        if self._note(name, stepped) or stepped.touched:
            self._announce(stepped.touched)
        if name == "pull" and not stepped.failed and self._reasons.get("push"):
            self._work.set()
        return stepped

    def _note(self, name: str, stepped: Stepped) -> bool:
        """Keeps what people are told; True where online/offline changed."""
        reason = stepped.reason if stepped.failed else ""
        if reason and reason != self._reasons.get(name):
            log.warning("sync %s: %s", name, reason)
        self._reasons[name] = reason
        with self._lock:
            before = self._reachability
            self._reachability = before.after(stepped.reached)
            return before.online != self._reachability.online
