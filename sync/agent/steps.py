"""Push and pull, each as one step: what is asked of the centre, and what its outcome means. No thread, no waiting."""

from dataclasses import dataclass, field

from sync.agent.client import CentralClient, NoAnswer
from sync.agent.dialect import Dialect
from sync.agent.ledger import KioskState, Ledger
from sync.agent.poison import PoisonWatch
from sync.journey.model import PatientId
from sync.protocol import (
    MAX_BATCH,
    CallRefused,
    EndCode,
    PullRequest,
    PushAnswer,
    Pushed,
    PushRequest,
)

LONG_POLL_S = 25.0


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step's outcome. `again`: there is more to do at once. `failed`: wait by the backoff before the next.
    `reached`: whether the centre answered; None where it was not asked."""

    touched: frozenset[PatientId] = frozenset()
    again: bool = False
    failed: bool = False
    reached: bool | None = None
    retry_after_s: float | None = None
    reason: str = ""


@dataclass(slots=True)
class Pusher:
    """Pushes the outbox, a batch a step. After failures the batch is halved, down to one action. One that the centre
    chokes on for good is sent unread then, to be set aside there, and the others go on."""

    ledger: Ledger
    client: CentralClient
    limit: int = MAX_BATCH
    dialect: Dialect = field(default_factory=Dialect)
    _expected_seq: int | None = field(default=None, init=False)
    _forked: bool = field(default=False, init=False)
    _choking: PoisonWatch = field(default=PoisonWatch(), init=False)

    def run_once(self) -> StepResult:
        """Pushes the next batch, if there is one, and settles its verdicts."""
        identity = self.ledger.identity
        if identity is None:
            return StepResult()
        actions = self._next()
        if not actions:
            return self._nothing_to_send()
        outcome = self.client.push(self._request(identity, actions))
        alone = actions[0].hash if len(actions) == 1 else ""
        self._choking = self._choking.after(alone, outcome, self.ledger.clock().mono_ms)
        if isinstance(outcome, NoAnswer):
            self.limit = max(1, self.limit // 2)
            return StepResult(failed=True, reached=False, retry_after_s=outcome.retry_after_s, reason=outcome.reason)
        if isinstance(outcome, CallRefused):
            return self._refused(identity, outcome)
        return self._answered(identity, outcome.answer)

    def _next(self) -> list[Pushed]:
        """The next batch, with its first action unread where the centre chokes on that alone for good. (A centre of
        version 1 knows no unread record; what it chokes on is sent again until it is updated.)"""
        actions = self.ledger.batch(self.limit, self._expected_seq, self.dialect.version)
        if self.dialect.version < 2 or not actions or not self._choking.for_good(actions[0].hash):
            return actions
        unread = self.ledger.unread(self._expected_seq)
        return [unread] if unread else actions

    def _request(self, identity: KioskState, actions: list[Pushed]) -> PushRequest:
        return PushRequest(
            protocol_version=self.dialect.version,
            kiosk_id=identity.kiosk_id,
            epoch=identity.epoch,
            now=self.ledger.clock(),
            server_incarnation=identity.server_incarnation,
            actions=actions,
        )

    def _nothing_to_send(self) -> StepResult:
        wanted, self._expected_seq = self._expected_seq, None
        if wanted is None or not self.ledger.has_pending():
            return StepResult()
        # Its answer to the next batch is the same gap: it is for the centre to give this chain up, by a new epoch.
        return StepResult(failed=True, reason=f"the centre expects action {wanted}, which is not here")

    def _answered(self, identity: KioskState, answer: PushAnswer) -> StepResult:
        self.dialect.heard(answer.newest_version)
        touched = self.ledger.settle(
            answer.verdicts,
            answer.backed_up_seq,
            epoch=identity.epoch,
            incarnations=(identity.server_incarnation, answer.server_incarnation),
        )
        wanted = self._expected_seq
        went_on = bool(touched) or (wanted is not None and answer.last_seq >= wanted)
        # What the centre asked to have again is sent to its end; what is pending comes after it in any case.
        self._expected_seq = answer.last_seq + 1 if went_on and wanted is not None else None
        self._forked = False
        self.limit = min(MAX_BATCH, self.limit * 2)
        if not went_on:
            return StepResult(failed=True, reached=True, reason="an answer without a verdict for what was sent")
        return StepResult(touched, again=self.ledger.has_pending(), reached=True)

    def _refused(self, identity: KioskState, refused: CallRefused) -> StepResult:
        if refused.code is EndCode.GAP and refused.expected_seq is not None:
            repeated = self._expected_seq == refused.expected_seq
            self._expected_seq = refused.expected_seq
            return StepResult(again=not repeated, failed=repeated, reached=True, reason="gap")
        if refused.code is EndCode.FORK and refused.epoch is not None and refused.epoch > identity.epoch:
            repeated, self._forked, self._expected_seq = self._forked, True, None
            self.ledger.start_epoch(refused.epoch)
            return StepResult(again=not repeated, failed=repeated, reached=True, reason="fork")
        if refused.code is EndCode.MALFORMED:
            self.limit = max(1, self.limit // 2)
        return _end(self.ledger, self.dialect, refused)


@dataclass(slots=True)
class Puller:
    """Pulls pages until there is nothing new, then lets the centre hold the call. Until the centre has answered, and
    after it failed to, a call asks for no wait: people are to hear at once that it is there."""

    ledger: Ledger
    client: CentralClient
    wait_s: float = LONG_POLL_S
    dialect: Dialect = field(default_factory=Dialect)
    _heard: bool = field(default=False, init=False)

    def run_once(self) -> StepResult:
        """Pulls one page and adopts it."""
        identity = self.ledger.identity
        if identity is None:
            return StepResult(failed=True, reason="not enrolled")
        before, answered_seq = identity.cursor, self.ledger.answered_seq()
        outcome = self.client.pull(self._request(identity, self.wait_s if self._heard else 0.0))
        self._heard = not isinstance(outcome, NoAnswer)
        if isinstance(outcome, NoAnswer):
            return StepResult(failed=True, reached=False, retry_after_s=outcome.retry_after_s, reason=outcome.reason)
        if isinstance(outcome, CallRefused):
            return _end(self.ledger, self.dialect, outcome)
        page = outcome.answer
        self.dialect.heard(page.newest_version)
        touched = self.ledger.adopt(page, epoch=identity.epoch, answered_seq=answered_seq)
        if touched is None:
            return StepResult(failed=True, reached=True, reason="a page that was overtaken")
        news = bool(touched) or page.more or page.cursor != before
        return StepResult(touched, again=news, reached=True, retry_after_s=page.retry_after_s)

    def _request(self, identity: KioskState, wait_s: float) -> PullRequest:
        return PullRequest(
            protocol_version=self.dialect.version,
            kiosk_id=identity.kiosk_id,
            epoch=identity.epoch,
            cursor=identity.cursor,
            server_incarnation=identity.server_incarnation or None,
            definitions_version=identity.definitions_version,
            wait_s=wait_s,
        )


def _end(ledger: Ledger, dialect: Dialect, refused: CallRefused) -> StepResult:
    """What a refusal of the whole call comes to, whichever call it was."""
    if refused.code is EndCode.UNSUPPORTED_VERSION and dialect.refused(refused):
        return StepResult(again=True, reached=True)
    touched = ledger.fenced() if refused.code is EndCode.FENCED else frozenset()
    return StepResult(touched, failed=True, reached=True, retry_after_s=refused.retry_after_s, reason=refused.code)
