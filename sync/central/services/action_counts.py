"""Counts each action by its outcome, and how long it took."""

import sqlite3
import time
from collections.abc import Callable

import msgspec

from sync.central.centre import Centre
from sync.central.metrics.counts import Measure
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.site import NoSite
from sync.central.services.answers import Answer
from sync.central.services.requester import Requester
from sync.central.store.errors import StaleJourney
from sync.journey.model import BuiltIn

DONE = "done"
UNKNOWN = "unknown"  # in place of an action's name that is none: a client may invent any number of them
_OF_STAFF = frozenset((*AuditKind, *BuiltIn))


class _Refused(msgspec.Struct):
    code: str


def counted(
    centre: Centre, requester: Requester, action_type: str, act: Callable[[], Answer], uncounted: type[Exception]
) -> Answer:
    """Does an action and counts it. One that raises `uncounted` is not counted: it is about to be done again."""
    began_s, outcome = time.perf_counter(), "internal"
    try:
        answer = act()
        outcome = DONE if answer.done else msgspec.json.decode(answer.body, type=_Refused).code
    except uncounted:
        outcome = ""
        raise
    except NoSite:
        outcome = "no_site"
        raise
    except (sqlite3.OperationalError, StaleJourney):
        outcome = "busy"
        raise
    finally:
        if outcome:
            count_outcome(centre, requester, action_type, outcome, time.perf_counter() - began_s)
    return answer


def count_outcome(
    centre: Centre, requester: Requester, action_type: str, outcome: str, seconds: float | None = None
) -> None:
    """Counts an outcome: `done`, or the code of the error. `seconds` is None where the rules were not asked."""
    is_known = action_type in centre.definitions.actions or action_type in _OF_STAFF
    name = action_type if is_known else UNKNOWN
    centre.counts.add(Measure.ACTIONS, name, requester.channel, outcome, seconds=seconds)
