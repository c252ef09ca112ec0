"""Actions of a kiosk as the room of conflicts gets them, without the kiosk."""

from __future__ import annotations

from typing import Any

from sync.central.conflicts.evidence import Evidence, ReceivedAction
from sync.central.conflicts.gather import JudgingContext, gather, judging_context
from sync.central.conflicts.judge import Judgement, judge
from sync.central.records.told_seqs import ANY_TIME, Window
from sync.clock import ClockReading
from sync.ids import new_id
from sync.protocol import Intent, PriorVerdict
from tests.sync.central.wire import DAY, EVERYTHING, Centre


def context_of(centre: Centre, **rejudged: Any) -> JudgingContext:
    """The context of one transaction of the centre now."""
    with centre.store.read() as db:
        made = judging_context(db, centre.definitions, new_id, centre.time())
    return JudgingContext(made.definitions, made.rules, made.settings, made.ids, made.now_ms, **rejudged)


def clock_of(centre: Centre, *, synchronised: bool = True, boot: str = "boot", ahead_ms: int = 0) -> ClockReading:
    """The clocks of a kiosk now."""
    now = centre.time() + ahead_ms
    return ClockReading(now, now - 1_000_000, boot, synchronised)


def received(
    centre: Centre,
    action_type: str = "scan_nfc",
    patient_id: str = "P1",
    *,
    kiosk_id: str = "K",
    grants: tuple[str, ...] = EVERYTHING,
    sent: ClockReading | None = None,
    prior_verdict: PriorVerdict | None = None,
    window: Window = ANY_TIME,
    **changes: Any,
) -> ReceivedAction:
    """An action that a kiosk did and sent just now. `changes` are fields of its intent."""
    fields: dict[str, Any] = {
        "site_id": centre.site_id,
        "kiosk_id": kiosk_id,
        "epoch": 1,
        "seq": 1,
        "action_id": new_id(),
        "action_type": action_type,
        "patient_id": patient_id,
        "visit_id": "visit",
        "leg": 0,
        "queue_id": new_id(),
        "queue_number": "",
        "base_version": 0,
        "definitions_version": centre.definitions.version,
        "site_day": DAY,
        "clock": clock_of(centre),
        "journey_state": "UNREGISTERED",
    }
    return ReceivedAction(
        Intent(**(fields | changes)), kiosk_id, grants, sent or clock_of(centre), centre.time(), prior_verdict, window
    )


def gathered(centre: Centre, action: ReceivedAction, **rejudged: Any) -> Evidence:
    """The evidence for an action, gathered now."""
    context = context_of(centre, **rejudged)
    with centre.store.write() as db:
        return gather(db, context, action)


def judged(centre: Centre, action: ReceivedAction, **revision: int) -> Judgement:
    """The verdict on an action, written with its effects. `revision` is that of `judge`."""
    context = context_of(centre)
    with centre.store.write() as db:
        return judge(db, context, action, **revision)
