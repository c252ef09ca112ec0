"""Sends the events of the feed to one webhook, one after the other in the order of the feed.

How far it is stands in the database, so nothing is lost where a process ends. Some events may come twice then.
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.feed.events import Event
from sync.central.feed.fate import Fate, Posted
from sync.central.feed.reading import ReadPage, read_page
from sync.central.feed.signing import signed_headers
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.webhooks import (
    DeadLetter,
    Webhook,
    add_dead_letters,
    bury,
    dead_letters,
    dead_of_changes,
    move_on,
    read_webhook,
    write_standing,
)
from sync.central.services.door import let_out
from sync.central.services.requester import Requester
from sync.central.services.told import told_of
from sync.clock import DAY_MS
from sync.journey.model import Actor, Role

AT_ONCE = 50  # events, after which the database notes how far it is
PATIENCE_MS = DAY_MS  # for a receiver that takes no message
REFUSALS = 6  # of one message by a receiver that answers; within about five minutes
_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 5_000, 3_600_000
_TAKEN = Posted(Fate.TAKEN)

Post = Callable[[str, Mapping[str, str], bytes], Posted]
Stopped = Callable[[], bool]


class WebhookMessage(msgspec.Struct, frozen=True):
    """The body of a message: the type of the event, when the centre took it, and the event."""

    type: str
    timestamp: str
    data: Event


class Courier:
    """The sender of one webhook. One thread calls `step`."""

    def __init__(self, centre: Centre, webhook_id: str, post: Post) -> None:
        """`post` sends a message: `Poster.post`."""
        self._centre = centre
        self._webhook_id = webhook_id
        self._post = post

    def step(self, is_stopped: Stopped = lambda: False) -> bool:
        """Sends a page of events, where it is time for it. Returns whether there is more to do at once.

        Raises sqlite3.Error.
        """
        centre = self._centre
        with centre.store.read() as db:
            webhook = read_webhook(db, self._webhook_id)
            if webhook is None or webhook.ended_ms is not None or webhook.next_ms > centre.clock():
                return False
            letters = dead_letters(db, webhook.webhook_id, AT_ONCE, to_send=True)
            page = read_page(db, centre, webhook.change, AT_ONCE)
            dead = dead_of_changes(db, webhook.webhook_id, webhook.change, page.until)
        if letters:
            return self._send_again(webhook, letters, is_stopped)
        if page.until == webhook.change:
            return False
        return self._send_page(webhook, page, dead, is_stopped)

    def _send_page(self, webhook: Webhook, page: ReadPage, dead: Collection[str], is_stopped: Stopped) -> bool:
        done, now = webhook.change, webhook
        for number, (event, place) in enumerate(zip(page.events, page.places, strict=True)):
            if is_stopped():
                return self._note(now, done)
            done = place.change - 1  # the events of one change are told together: all of them come again, or none
            if event.id in dead or (webhook.types and event.type not in webhook.types):
                continue
            posted = self._send(webhook, event)
            if posted.fate is not Fate.TAKEN:
                return self._note_failure(now, page, number, posted)
            now = _well(now)
        self._note(now, page.until)
        return page.until < page.latest

    def _send_again(self, webhook: Webhook, letters: Sequence[DeadLetter], is_stopped: Stopped) -> bool:
        """Sends dead letters once more. One that is not taken is as dead as before."""
        for letter in letters:
            if is_stopped():
                break
            event = self._event(letter)
            posted = self._send(webhook, event) if event else _TAKEN
            with self._centre.store.write() as db:
                if posted.fate is Fate.TAKEN:
                    bury(db, webhook.webhook_id, letter.event_id)
                else:
                    died = replace(letter, died_ms=self._centre.clock(), why=posted.why)
                    add_dead_letters(db, webhook.webhook_id, [died])
        return True

    def _event(self, letter: DeadLetter) -> Event | None:
        """The event of a dead letter; None where a restore has lost it."""
        with self._centre.store.read() as db:
            page = read_page(db, self._centre, letter.change - 1, 1)
        return next((event for event in page.events if event.id == letter.event_id), None)

    def _send(self, webhook: Webhook, event: Event) -> Posted:
        now_ms = self._centre.clock()
        message = WebhookMessage(event.type, event.recorded, event)
        named = [each for each in (event.patient_id, event.merged_patient_id) if each is not None]
        receiver = Requester(Actor(Role.INTEGRATION), f"webhook:{webhook.webhook_id}", "webhook")
        body = let_out(self._centre, receiver, told_of(message, AuditKind.TOLD_EVENTS, named))
        headers = signed_headers(_secrets(webhook, now_ms), event.id, now_ms // 1000, body)
        return self._post(webhook.url, headers, body)

    def _note_failure(self, webhook: Webhook, page: ReadPage, number: int, posted: Posted) -> bool:
        """Notes that an event of a page was not taken, and which events have died of it. Returns as `step`."""
        now_ms = self._centre.clock()
        since_ms = webhook.failing_since_ms if webhook.failing_since_ms is not None else now_ms
        tries = webhook.tries + 1
        pause_ms = max(_pause_ms(tries), round(posted.retry_after_s * 1000))
        failing = replace(webhook, tries=tries, failing_since_ms=since_ms, next_ms=now_ms + pause_ms, why=posted.why)
        dead: Sequence[int] = []
        if posted.fate is Fate.UNWANTED:
            failing = replace(failing, ended_ms=now_ms)
        elif posted.fate is Fate.REFUSED and tries >= REFUSALS:
            dead, failing = [number], _well(webhook)
        elif now_ms - since_ms >= PATIENCE_MS:
            dead = [n for n in range(number, len(page.events)) if now_ms - page.places[n].recorded_ms >= PATIENCE_MS]
        letters = [DeadLetter(page.events[n].id, page.places[n].change, now_ms, posted.why) for n in dead]
        with self._centre.store.write() as db:
            add_dead_letters(db, webhook.webhook_id, letters)
            write_standing(db, failing)
            move_on(db, webhook.webhook_id, page.places[number].change - 1)
        return failing.next_ms <= now_ms

    def _note(self, webhook: Webhook, done: int) -> bool:
        """Notes how far it is. Returns that nothing more is to be done now."""
        with self._centre.store.write() as db:
            write_standing(db, webhook)
            move_on(db, webhook.webhook_id, done)
        return False


def _well(webhook: Webhook) -> Webhook:
    return replace(webhook, tries=0, failing_since_ms=None, next_ms=0, why="")


def _secrets(webhook: Webhook, now_ms: int) -> list[str]:
    """The secrets that sign at a time, the newer one first."""
    is_former = webhook.former_secret is not None and now_ms < (webhook.former_until_ms or 0)
    return [webhook.secret, *([webhook.former_secret] if is_former and webhook.former_secret else [])]


def _pause_ms(tries: int) -> int:
    """The pause after so many tries: it doubles, and half of it is random, so that receivers are not hit in step."""
    longest = min(_FIRST_PAUSE_MS << min(tries - 1, 20), _LONGEST_PAUSE_MS)
    return random.randint(longest // 2, longest)  # noqa: S311
