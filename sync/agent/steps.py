"""Push and pull, each as one step: the call to the centre, and what its outcome means. No threads and no waiting."""

from dataclasses import dataclass, field

from sync.agent.client import CentralClient, NoAnswer
from sync.agent.ledger import KioskState, Ledger
from sync.agent.poison import PoisonWatch
from sync.agent.versions import Negotiation
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
OTHER_SITE = "this centre is another hospital's: check [central] url, or enrol this kiosk there"
# Refusals that change the kiosk. They count only with the id of the kiosk's own site.
_CHANGING = frozenset({EndCode.GAP, EndCode.FORK, EndCode.FENCED})


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of one step.

    - `touched`: the patients whose journeys may look different now.
    - `again`: there is more to do at once.
    - `failed`: the next step waits for the backoff; `reason` says why.
    - `reached`: whether the centre answered; None where there was no call.
    - `retry_after_s`: the wait that the centre asks for.
    """

    touched: frozenset[PatientId] = frozenset()
    again: bool = False
    failed: bool = False
    reached: bool | None = None
    retry_after_s: float | None = None
    reason: str = ""


@dataclass(slots=True)
class Pusher:
    """Pushes the outbox, one batch a step.

    A failure halves the next batch, down to one action. An action that the centre never takes in is then sent as an
    unread record, for quarantine, and the actions after it go on.
    """

    ledger: Ledger
    client: CentralClient
    limit: int = MAX_BATCH
    versions: Negotiation = field(default_factory=Negotiation)
    _expected_seq: int | None = field(default=None, init=False)
    _forked: bool = field(default=False, init=False)
    _poison: PoisonWatch = field(default=PoisonWatch(), init=False)

    def run_once(self) -> StepResult:
        """Pushes the next batch, if there is one, and retires the actions of its verdicts."""
        identity = self.ledger.identity
        if identity is None:
            return StepResult()
        actions = self._next_batch()
        if not _is_still(identity, self.ledger.identity):
            return StepResult(again=True)  # enrolled or renumbered meanwhile: the batch is of another chain, or site
        if not actions:
            return self._nothing_to_send()
        outcome = self.client.push(self._request(identity, actions))
        only_action = actions[0].hash if len(actions) == 1 else ""
        self._poison = self._poison.after_push(only_action, outcome, self.ledger.clock().mono_ms)
        if isinstance(outcome, NoAnswer):
            self.limit = max(1, self.limit // 2)
            return _no_answer(outcome)
        if isinstance(outcome, CallRefused):
            return self._follow_refusal(identity, outcome)
        return self._retire(identity, outcome.answer)

    def _next_batch(self) -> list[Pushed]:
        """The next batch; only its first action, as an unread record, where the centre never takes that action in."""
        actions = self.ledger.batch(self.limit, self._expected_seq)
        if not actions or not self._poison.is_poison(actions[0].hash):
            return actions
        unread = self.ledger.unread(self._expected_seq)
        return [unread] if unread else actions

    def _request(self, identity: KioskState, actions: list[Pushed]) -> PushRequest:
        return PushRequest(
            protocol_version=self.versions.version,
            site_id=identity.site_id,
            kiosk_id=identity.kiosk_id,
            epoch=identity.epoch,
            now=self.ledger.clock(),
            server_incarnation=identity.server_incarnation,
            actions=actions,
        )

    def _nothing_to_send(self) -> StepResult:
        expected_seq, self._expected_seq = self._expected_seq, None
        if expected_seq is None or not self.ledger.has_pending():
            return StepResult()
        # The centre answers the next batch with the same gap, until it gives up this chain and names a new epoch.
        return StepResult(failed=True, reason=f"action {expected_seq}, which the centre expects, is missing here")

    def _retire(self, identity: KioskState, answer: PushAnswer) -> StepResult:
        if answer.site_id != identity.site_id:
            return _other_site()
        self.versions.learn(answer.versions)
        touched = self.ledger.retire(
            answer.verdicts,
            answer.backed_up_seq,
            epoch=identity.epoch,
            incarnations=(identity.server_incarnation, answer.server_incarnation),
            site_id=answer.site_id,
        )
        expected_seq = self._expected_seq
        progressed = bool(touched) or (expected_seq is not None and answer.last_seq >= expected_seq)
        # A resend goes on to the end of the chain, and so covers everything that is pending.
        self._expected_seq = answer.last_seq + 1 if progressed and expected_seq is not None else None
        self._forked = False
        self.limit = min(MAX_BATCH, self.limit * 2)
        if not progressed:
            return StepResult(failed=True, reached=True, reason="the answer has no verdict for a pushed action")
        return StepResult(touched, again=self.ledger.has_pending(), reached=True)

    def _follow_refusal(self, identity: KioskState, refused: CallRefused) -> StepResult:
        if _is_of_other_site(identity, refused):
            return _other_site()
        if refused.code is EndCode.GAP and refused.expected_seq is not None:
            repeated = self._expected_seq == refused.expected_seq
            self._expected_seq = refused.expected_seq
            return StepResult(again=not repeated, failed=repeated, reached=True, reason="gap")
        if refused.code is EndCode.FORK and refused.epoch is not None and refused.epoch > identity.epoch:
            repeated, self._forked, self._expected_seq = self._forked, True, None
            self.ledger.start_epoch(refused.epoch, refused.site_id)
            return StepResult(again=not repeated, failed=repeated, reached=True, reason="fork")
        if refused.code is EndCode.MALFORMED:
            self.limit = max(1, self.limit // 2)
        return _report_refusal(self.ledger, self.versions, refused)


@dataclass(slots=True)
class Puller:
    """Pulls pages until there is nothing new, then lets the centre hold the call for `wait_s`.

    The first call, and the call after one without an answer, ask for no wait: the screen learns at once that the centre
    answers.
    """

    ledger: Ledger
    client: CentralClient
    wait_s: float = LONG_POLL_S
    versions: Negotiation = field(default_factory=Negotiation)
    _was_answered: bool = field(default=False, init=False)

    def run_once(self) -> StepResult:
        """Pulls one page and adopts it."""
        identity = self.ledger.identity
        if identity is None:
            return StepResult(failed=True, reason="not enrolled")
        cursor, answered_seq = identity.cursor, self.ledger.answered_seq()
        outcome = self.client.pull(self._request(identity, self.wait_s if self._was_answered else 0.0))
        self._was_answered = not isinstance(outcome, NoAnswer)
        if isinstance(outcome, NoAnswer):
            return _no_answer(outcome)
        if isinstance(outcome, CallRefused):
            if _is_of_other_site(identity, outcome):
                return _other_site()
            return _report_refusal(self.ledger, self.versions, outcome)
        page = outcome.answer
        touched = self.ledger.adopt(page, epoch=identity.epoch, answered_seq=answered_seq)
        if page.site_id != identity.site_id:
            return _other_site()
        self.versions.learn(page.versions)
        if touched is None:
            return StepResult(failed=True, reached=True, reason="the page does not continue what the kiosk has")
        has_news = bool(touched) or page.more or page.cursor != cursor
        return StepResult(touched, again=has_news, reached=True, retry_after_s=page.retry_after_s)

    def _request(self, identity: KioskState, wait_s: float) -> PullRequest:
        return PullRequest(
            protocol_version=self.versions.version,
            site_id=identity.site_id,
            kiosk_id=identity.kiosk_id,
            epoch=identity.epoch,
            cursor=identity.cursor,
            server_incarnation=identity.server_incarnation or None,
            definitions_version=identity.definitions_version,
            wait_s=wait_s,
        )


def _no_answer(outcome: NoAnswer) -> StepResult:
    return StepResult(failed=True, reached=False, retry_after_s=outcome.retry_after_s, reason=outcome.reason)


def _is_still(before: KioskState, now: KioskState | None) -> bool:
    """Whether a kiosk has the same place in the same chain as before."""
    return now is not None and (now.site_id, now.kiosk_id, now.epoch) == (
        before.site_id,
        before.kiosk_id,
        before.epoch,
    )


def _is_of_other_site(identity: KioskState, refused: CallRefused) -> bool:
    """Whether a refusal is not the word of the kiosk's own site. It changes nothing at the kiosk then."""
    changes_kiosk = refused.code in _CHANGING and refused.site_id != identity.site_id
    return changes_kiosk or refused.code is EndCode.OTHER_SITE


def _other_site() -> StepResult:
    """The result of an answer from another site. For the kiosk, its own centre is away."""
    return StepResult(failed=True, reached=False, reason=OTHER_SITE)


def _report_refusal(ledger: Ledger, versions: Negotiation, refused: CallRefused) -> StepResult:
    """The result of a refusal that means the same for push and pull."""
    touched, reason = frozenset[PatientId](), str(refused.code)
    if refused.code is EndCode.UNSUPPORTED_VERSION:
        if versions.refused(refused.versions):
            return StepResult(again=True, reached=True)
        reason = f"{refused.code}: {versions.explain(refused.versions)}"
    if refused.code is EndCode.FENCED:
        touched = ledger.fenced(refused.site_id)
    return StepResult(touched, failed=True, reached=True, retry_after_s=refused.retry_after_s, reason=reason)
