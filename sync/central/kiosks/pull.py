"""Pull: the next page of the roster for a kiosk, at once or as soon as something changes.

One thread makes all answers, as sets. A call that waits holds no thread, and a change costs those who act the same
whether one kiosk waits for it or a thousand.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

import msgspec

from sync.central.centre import Centre
from sync.central.kiosks.answering import Answered, Asked, Present, Pulled, answer_pulls, newer_keys
from sync.central.kiosks.cursors import wants_next_page
from sync.central.kiosks.page import Pages
from sync.central.kiosks.reception import Reception
from sync.central.kiosks.waiting_room import Reply, WaitingCall, WaitingRoom
from sync.central.store.transactions import ReadTransaction
from sync.protocol import MAX_PAGE_ROWS, SUPPORTED_VERSIONS, CallRefused, PullRequest

LONGEST_WAIT_S = 30.0
MOST_WAITING = 10_000  # calls that wait at a time
RETRY_AFTER_S = 5.0  # for a call that cannot wait, since too many calls wait already
# So many answers leave together; then those who act have their turn. Eight kiosks that get their answers and call again
# take some two milliseconds of the gateway.
_PART = 8
_REST_S = 0.01
_SPREAD_S = 0.2  # all rests of a set are no longer


class PullService:
    """Answers pulls, from any thread. At most `most_waiting` calls wait at a time, one a kiosk."""

    def __init__(
        self,
        centre: Centre,
        most_waiting: int = MOST_WAITING,
        page: int = MAX_PAGE_ROWS,
        versions: Collection[int] = SUPPORTED_VERSIONS,
    ) -> None:
        """`page` is the most patients in a page, `versions` the protocol versions that this centre speaks."""
        self._centre = centre
        self._page = page
        self._versions = tuple(sorted(versions))
        self._pages = Pages(centre.definitions)
        self._reception = Reception(centre, self._versions)
        self._room = WaitingRoom(self._receive_calls, self._answer_calls, centre.store.news, most_waiting)

    def pull(self, kiosk_id: str, request: PullRequest) -> Answered:
        """The answer as of now, without any wait. `kiosk_id` is the kiosk of the token.

        Raises NoSite, and sqlite3.OperationalError where the database is busy.
        """
        asked = self._asked(kiosk_id, request)
        (received,) = self._reception.receive([asked])
        if isinstance(received, Exception):
            raise received
        if isinstance(received, CallRefused):
            return received
        with self._centre.store.read() as db:
            return next(self._answers(db, [asked]))

    def wait(self, kiosk_id: str, request: PullRequest, reply: Reply, unconfirmed: str = "") -> Callable[[], None]:
        """Answers by `reply`, from another thread, up to `wait_s` later where there is nothing new.

        `reply` gets the answer, or the error by which it failed, and raises nothing. A later pull of the kiosk ends
        this one, which is answered then. Where too many calls wait already, the answer comes now and says when to call
        again. `unconfirmed` is the hash of the token where it is not confirmed yet: `reply` gets BearerChanged where it
        is not valid. Returns the function that drops the call, whose client has left.
        """
        until_s = time.monotonic() + min(request.wait_s, LONGEST_WAIT_S)
        call = WaitingCall(self._asked(kiosk_id, request, unconfirmed), until_s, reply)
        self._room.enter(call)
        return partial(self._room.leave, call)

    def close(self) -> None:
        """Answers all calls that wait. Later ones are answered at once."""
        self._room.close()

    def _asked(self, kiosk_id: str, request: PullRequest, unconfirmed: str = "") -> Asked:
        return Asked(kiosk_id, request, min(max(request.rows, 1), self._page), unconfirmed)

    def _receive_calls(self, calls: Sequence[WaitingCall]) -> None:
        """Has calls that have just come answered, or lets them wait."""
        for call, received in zip(calls, self._reception.receive([each.asked for each in calls]), strict=True):
            if not isinstance(received, Present):
                call.reply(received)
            elif self._is_urgent(call.asked, received):
                self._room.hurry(call)
            elif not self._room.admit(call, received.moment.latest):
                self._room.hurry(replace(call, retry_after_s=RETRY_AFTER_S))

    def _is_urgent(self, asked: Asked, present: Present) -> bool:
        """Whether a pull is not gathered with others: it asks for no wait, or for what no change tells."""
        request = asked.request
        return (
            request.wait_s <= 0
            or request.definitions_version != self._centre.definitions.version
            or newer_keys(self._centre.keys.published, request) is not None
            or present.needs_snapshot(request)
            or wants_next_page(present.moment, asked.kiosk_id, request)
        )

    def _answers(self, db: ReadTransaction, asked: Sequence[Asked]) -> Iterator[Answered]:
        return answer_pulls(db, self._centre, self._pages, asked, self._versions)

    def _answer_calls(self, calls: Sequence[WaitingCall]) -> None:
        """Answers calls as of one moment, and lets others work in between."""
        number, rest_s = 0, min(_REST_S, _SPREAD_S * _PART / len(calls))
        try:
            with self._centre.store.read() as db:
                for answer in self._answers(db, [call.asked for call in calls]):
                    call = calls[number]
                    number += 1
                    call.reply(_with_retry(call, answer))
                    if number % _PART == 0:
                        self._room.rest(rest_s)
        except Exception as error:  # noqa: BLE001 - each call ends with it, and its edge logs it
            for call in calls[number:]:
                call.reply(error)


def _with_retry(call: WaitingCall, answer: Answered) -> Answered:
    """The answer to a call, with the time to call again where it could not wait."""
    if call.retry_after_s is None or not isinstance(answer, Pulled):
        return answer
    return replace(answer, head=msgspec.structs.replace(answer.head, retry_after_s=call.retry_after_s))
