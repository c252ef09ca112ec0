"""Ends the waits for the word of the hospital's other system: after a minute, or where the centre decides by now."""

from sync.central.centre import Centre
from sync.central.conflicts.gather import judging_context
from sync.central.conflicts.rejudge import give_to_staff, rejudge
from sync.central.records.cases import open_cases_with, read_case
from sync.central.records.waiting import waiting_of_case
from sync.central.services.portions import in_portions
from sync.central.store.transactions import WriteTransaction
from sync.clock import MINUTE_MS
from sync.journey.model import Role
from sync.protocol import Code

WAIT_MS = MINUTE_MS


def settle_waits(centre: Centre) -> int:
    """Gives the actions to staff whose word has not come in time, and decides those that are the centre's by now.

    Returns the number of cases that wait no more.
    """
    with centre.store.read() as db:
        waiting = [case.exception_id for case in open_cases_with(db, Code.DECIDED_ELSEWHERE)]
    return sum(in_portions(centre, waiting, lambda db, each: _settle(db, centre, each), failed=False))


def _settle(db: WriteTransaction, centre: Centre, exception_id: str) -> bool:
    case, now_ms = read_case(db, exception_id), centre.clock()
    if case is None or case.settled_ms is not None or case.code != Code.DECIDED_ELSEWHERE:
        return False
    actions, context = waiting_of_case(db, exception_id), judging_context(db, centre.definitions, centre.ids, now_ms)
    elsewhere = context.settings.site.decided_elsewhere
    awaited = [each for each in actions if each.code is Code.DECIDED_ELSEWHERE]
    if not any(each.intent.action_type in elsewhere for each in awaited):
        rejudge(db, context, actions, Role.SYSTEM)
        return True
    if now_ms - case.opened_ms < WAIT_MS:
        return False
    give_to_staff(db, awaited, now_ms)
    return True
