"""Push and pull, each as one step: the call to the centre, and what its outcome means. No threads and no waiting."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sync.agent.answers import in_words
from sync.agent.client import Accepted, CentralClient, NoAnswer
from sync.agent.ledger import KioskState, Ledger
from sync.agent.overlap import Begin, at_once
from sync.agent.poison import BATCHES_BEFORE_ALONE, PAUSE_S, TRIAL_EVERY_MS, FailedPush, PoisonWatch, Trials
from sync.agent.versions import Negotiation
from sync.journey.model import PatientId
from sync.protocol import (
    MAX_BATCH,
    MAX_PAGE_ROWS,
    CallRefused,
    DeskAsk,
    EndCode,
    PullRequest,
    PushAnswer,
    Pushed,
    PushRequest,
)

log = logging.getLogger(__name__)

LONG_POLL_S = 25.0
OTHER_SITE = "other_site: this centre is another hospital's: check [central] url, or enrol this kiosk there"
STALE_PUSH = "stale: the answer has no verdict for a pushed action: a proxy on the way may repeat an old answer"
STALE_PULL = "stale: the page does not continue what the kiosk has: a proxy on the way may repeat an old answer"
ENDED = "ended: the centre has revoked this kiosk: run kiosk enroll with a new code"
# Refusals that change the kiosk. They count only with the id of the kiosk's own site.
_CHANGING = frozenset({EndCode.GAP, EndCode.FORK, EndCode.ENDED, EndCode.BAD_CURSOR})

# Refusals of a centre that has read the whole call, so the network let it pass.
_READ = frozenset({EndCode.FORK, EndCode.GAP, EndCode.TRY_LATER})


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of one step.

    - `touched`: the patients whose journeys may look different now.
    - `again`: there is more to do at once.
    - `failed`: the next step waits for the backoff; `reason` says why.
    - `reason` with `retry_after_s` alone: the network passes this call and not another one, so no backoff grows.
    - `reached`: whether the centre answered; None where there was no call.
    - `is_current`: the pull has made the roster up to date.
    - `refusal`: the centre has ended this kiosk, does not know it, or has replaced its token.
    - `refused_token`: the SHA-256 (hex) of the token that the centre does not know, or has replaced.
    - `renew_token`: the centre asks the kiosk to renew its token.
    - `retry_after_s`: the wait that the centre asks for.
    - `has_page`: a page was read, and `desk_ask` is what it says of a card for the desk.
    """

    touched: frozenset[PatientId] = frozenset()
    again: bool = False
    failed: bool = False
    reached: bool | None = None
    is_current: bool = False
    refusal: EndCode | None = None
    refused_token: str | None = None
    renew_token: bool = False
    retry_after_s: float | None = None
    reason: str = ""
    has_page: bool = field(default=False, compare=False)
    desk_ask: DeskAsk | None = None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch on its way: the identity under which it was sent, its actions, and the way to wait for its outcome.

    `following` are the actions after it, from `next_seq` on; none where that seq is not known yet.
    """

    identity: KioskState
    actions: list[Pushed]
    wait: Callable[[], Accepted[PushAnswer] | CallRefused | NoAnswer]
    next_seq: int | None = None
    following: Sequence[Pushed] = ()


@dataclass(slots=True)
class Pusher:
    """Pushes the outbox, one batch a step. The next batch is under way while the verdicts of the last one are written.
    The one after it is read by then.

    A failure halves the next batch, down to one action, and a push without actions follows it. Where that one passes
    twice, the network passes all but the failed batches. Actions then go one by one, and the one at fault goes as an
    unread record. Where that fails too, the action is parked, the actions after it go on, and trials follow.
    """

    ledger: Ledger
    client: CentralClient
    limit: int = MAX_BATCH
    versions: Negotiation = field(default_factory=Negotiation)
    begin: Begin[Accepted[PushAnswer] | CallRefused | NoAnswer] = at_once
    _sent: _Sent | None = field(default=None, init=False)  # after a batch that passed whole
    _expected_seq: int | None = field(default=None, init=False)
    _forked: bool = field(default=False, init=False)
    _poison: PoisonWatch = field(default=PoisonWatch(), init=False)
    _alone: int = field(default=0, init=False)  # actions that still go one by one
    _doubts: int = field(default=0, init=False)  # batches that failed alone, since nothing was left to push
    _failed: FailedPush | None = field(default=None, init=False)  # until a push without actions has followed it
    _trials: Trials = field(default=Trials(), init=False)

    def run_once(self) -> StepResult:
        """Pushes the next batch, if there is one, and retires the actions of its verdicts."""
        sent, self._sent = self._sent, None
        if sent is not None:
            return self._finish(sent)
        identity = self.ledger.identity
        if identity is None or identity.ended_ms is not None:
            return StepResult()
        if self._failed is not None:
            return self._ask_network(identity, self._failed)
        actions = self._next_batch()
        if not _is_still(identity, self.ledger.identity):
            return StepResult(again=True)  # enrolled or renumbered meanwhile: the batch is of another chain, or site
        if not actions:
            return self._nothing_to_send(identity)
        if self._poison.is_stuck(actions[0].hash, self._now_ms()):
            return self._park(identity, actions[0])
        return self._finish(self._send(identity, actions))

    def _send(self, identity: KioskState, actions: list[Pushed], next_seq: int | None = None) -> _Sent:
        request, client = self._request(identity, actions), self.client
        wait = self.begin(lambda has_left: client.push(request, has_left))
        # Read while the centre judges this batch: it would wait for the next one otherwise.
        following = self.ledger.batch(self.limit, next_seq) if next_seq is not None else ()
        return _Sent(identity, actions, wait, next_seq, following)

    def _finish(self, sent: _Sent) -> StepResult:
        """Waits for the outcome of a batch. Sends the next one, and retires the actions of the verdicts."""
        identity, actions, outcome = sent.identity, sent.actions, sent.wait()
        if isinstance(outcome, NoAnswer):
            self.limit = max(1, self.limit // 2)
            self._failed = FailedPush.of(actions, outcome.reason)
            return _no_answer(outcome)
        if isinstance(outcome, CallRefused):
            if outcome.code is EndCode.MALFORMED:
                self._note_fault(FailedPush.of(actions, str(outcome.code)))
            return self._follow_refusal(identity, outcome)
        self._sent = self._send_next(sent, outcome.answer)
        result = self._retire(identity, outcome.answer)
        self._note_passed(actions, result)
        return replace(result, again=True) if self._sent is not None else result

    def _send_next(self, sent: _Sent, answer: PushAnswer) -> _Sent | None:
        """Sends the batch after one that has passed whole; None where there is none, or where anything is in doubt."""
        identity = sent.identity
        has_failed = self.limit < MAX_BATCH or self._alone or self._poison != PoisonWatch()
        judged = [verdict.seq for verdict in answer.verdicts]
        is_whole = len(judged) == len(sent.actions) and judged[-1] == answer.last_seq
        of_now = (answer.site_id, answer.server_incarnation) == (identity.site_id, identity.server_incarnation)
        if has_failed or self._expected_seq is not None or not (is_whole and of_now):
            return None
        first = answer.last_seq + 1
        actions = [*sent.following] if sent.next_seq == first else []
        actions = actions or self.ledger.batch(self.limit, first)
        if not actions or not _is_still(identity, self.ledger.identity):
            return None
        return self._send(identity, actions, first + len(actions))

    def try_parked_soon(self) -> None:
        """Tries the parked actions with the next step that has nothing to push. Any thread may call this."""
        self._trials = Trials()

    def _next_batch(self) -> list[Pushed]:
        """The next batch; only its first action, as an unread record, where that action does not pass as it is."""
        actions = self.ledger.batch(1 if self._alone else self.limit, self._expected_seq)
        if not actions or not self._poison.goes_unread(actions[0].hash):
            return actions
        unread = self.ledger.unread(self._expected_seq)
        return [unread] if unread else actions

    def _request(self, identity: KioskState, actions: list[Pushed], trial: Pushed | None = None) -> PushRequest:
        return PushRequest(
            protocol_version=self.versions.version,
            site_id=identity.site_id,
            kiosk_id=identity.kiosk_id,
            epoch=identity.epoch,
            now=self.ledger.clock(),
            server_incarnation=identity.server_incarnation,
            actions=actions,
            trial=trial,
        )

    def _ask_network(self, identity: KioskState, failed: FailedPush) -> StepResult:
        """Pushes no action. An answer of the centre says that the failed push alone does not pass."""
        self._failed = None
        outcome = self.client.push(self._request(identity, []))
        if isinstance(outcome, NoAnswer):
            return _no_answer(outcome)
        if isinstance(outcome, CallRefused):
            return self._follow_refusal(identity, outcome)
        if outcome.answer.site_id != identity.site_id:
            return _other_site()
        self._note_fault(failed)
        if not self._poison.pauses:
            return StepResult(again=True, reached=True)
        return StepResult(reached=True, retry_after_s=PAUSE_S, reason=failed.words)

    def _note_fault(self, failed: FailedPush) -> None:
        """Notes that a push failed though the network passes others."""
        if failed.number == 1:
            self._poison = self._poison.after_failure(failed.action, self._now_ms(), unread=failed.unread)
            return
        self._doubts += 1
        self._poison = PoisonWatch(parked=self._poison.parked)
        if self._doubts >= BATCHES_BEFORE_ALONE:
            self._alone = failed.number

    def _note_passed(self, actions: list[Pushed], result: StepResult) -> None:
        if not result.failed:
            self._alone = max(0, self._alone - len(actions))
            self._poison = PoisonWatch()
            if not result.again:
                self._doubts = 0
        elif result.reached:  # the centre's answer lacks the verdict of the action
            self._note_fault(FailedPush.of(actions, result.reason))

    def _park(self, identity: KioskState, stuck: Pushed) -> StepResult:
        """Takes the first action out of the chain. The centre then asks for it, in vain, and names a new epoch."""
        action_id = stuck.opaque.action_id if stuck.opaque else ""
        number = self.ledger.park(action_id, identity.epoch)
        self._poison = self._poison.after_parking()
        self._trials = Trials(self._now_ms() + TRIAL_EVERY_MS)
        log.error("the network lets no form of action %s pass: %d actions of its patient wait here", action_id, number)
        return StepResult(again=True)

    def _nothing_to_send(self, identity: KioskState) -> StepResult:
        expected_seq, self._expected_seq = self._expected_seq, None
        if expected_seq is None or not self.ledger.has_pending():
            return self._try_parked(identity)
        # The centre answers the next batch with the same gap, until it gives up this chain and names a new epoch.
        return StepResult(failed=True, reason=f"action {expected_seq}, which the centre expects, is missing here")

    def _try_parked(self, identity: KioskState) -> StepResult:
        """Tries whether the network lets a parked action pass by now. The centre ignores the trial."""
        now_ms = self._now_ms()
        if now_ms >= self._trials.next_ms:
            self._trials = Trials(now_ms + TRIAL_EVERY_MS, tuple(self.ledger.parked()))
        trial, self._trials = self._trials.first()
        if trial is None or trial.opaque is None:
            return StepResult()
        outcome = self.client.push(self._request(identity, [], trial))
        if isinstance(outcome, Accepted) or (isinstance(outcome, CallRefused) and outcome.code in _READ):
            self.ledger.unpark(trial.opaque.action_id)
        return StepResult(again=True)

    def _now_ms(self) -> int:
        return self.ledger.clock().mono_ms

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
            return StepResult(failed=True, reached=True, reason=STALE_PUSH)
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
        return _report_refusal(self.ledger, self.versions, refused)


@dataclass(slots=True)
class Puller:
    """Pulls pages until there is nothing new, then lets the centre hold the call for `wait_s`.

    The first call, and the call after one without an answer, ask for no wait: the screen learns at once that the centre
    answers. They ask for a sealed answer, since a filter may have refused the content of the page.
    """

    ledger: Ledger
    client: CentralClient
    wait_s: float = LONG_POLL_S
    versions: Negotiation = field(default_factory=Negotiation)
    rows: int = MAX_PAGE_ROWS  # the ledger adopts a page in portions, so a large one holds up no tap
    _was_answered: bool = field(default=False, init=False)

    def run_once(self) -> StepResult:
        """Pulls one page and adopts it."""
        identity = self.ledger.identity
        if identity is None:
            return StepResult(failed=True, reason="not enrolled")
        if identity.ended_ms is not None:
            return _ended()
        cursor, answered_seq = identity.cursor, self.ledger.answered_seq()
        outcome = self.client.pull(self._request(identity, self.wait_s if self._was_answered else 0.0))
        self._was_answered = not isinstance(outcome, NoAnswer)
        if isinstance(outcome, NoAnswer):
            return _no_answer(outcome)
        if isinstance(outcome, CallRefused):
            if _is_of_other_site(identity, outcome):
                return _other_site()
            if outcome.code is EndCode.BAD_CURSOR and cursor:
                self.ledger.pull_from_beginning(cursor)
                return StepResult(again=True, reached=True)
            return _report_refusal(self.ledger, self.versions, outcome)
        page = outcome.answer
        touched = self.ledger.adopt(page, epoch=identity.epoch, answered_seq=answered_seq)
        if page.site_id != identity.site_id:
            return _other_site()
        self.versions.learn(page.versions)
        if touched is None:
            return StepResult(failed=True, reached=True, reason=STALE_PULL)
        has_news = bool(touched) or page.more or page.cursor != cursor
        return StepResult(
            touched,
            again=has_news,
            reached=True,
            is_current=not page.more,
            renew_token=page.renew_token,
            retry_after_s=page.retry_after_s,
            has_page=True,
            desk_ask=page.desk_ask,
        )

    def _request(self, identity: KioskState, wait_s: float) -> PullRequest:
        # Before the end of the chain: a parked action that goes back to the end must not be told as never parked.
        backlog, (last_seq, last_hash) = self.ledger.backlog(), self.ledger.chain_end(identity.epoch)
        return PullRequest(
            protocol_version=self.versions.version,
            site_id=identity.site_id,
            kiosk_id=identity.kiosk_id,
            epoch=identity.epoch,
            cursor=identity.cursor,
            cursor_mac=identity.cursor_mac,
            server_incarnation=identity.server_incarnation or None,
            definitions_version=identity.definitions_version,
            wait_s=wait_s,
            last_seq=last_seq,
            chain_hash=last_hash,
            backlog=backlog,
            card_key_id=self.ledger.card_key_id(),
            rows=self.rows,
            sealed=not self._was_answered,
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
    reason = in_words(refused)
    if refused.code is EndCode.UNSUPPORTED_VERSION:
        if versions.refused(refused.versions):
            return StepResult(again=True, reached=True)
        reason = f"{refused.code}: {versions.explain(refused.versions)}"
    if refused.code is EndCode.ENDED:
        return _ended(ledger.end(refused.site_id))
    if refused.code in (EndCode.NOT_KNOWN, EndCode.REPLACED):
        # Whatever dropped or changed the token: the roster stays, and the kiosk works as without a network.
        return StepResult(
            failed=True, reached=False, refusal=refused.code, refused_token=refused.token_sha256, reason=reason
        )
    return StepResult(failed=True, reached=True, retry_after_s=refused.retry_after_s, reason=reason)


def _ended(forgotten: frozenset[PatientId] = frozenset()) -> StepResult:
    """The result for a kiosk that the centre has ended. It calls the centre no more."""
    return StepResult(forgotten, failed=True, reached=False, refusal=EndCode.ENDED, reason=ENDED)
