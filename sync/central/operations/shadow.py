"""The report on the shadow: where the rules differ from the hospital's other system, action by action."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.operations import TellingOperation
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.deciders import Decider, Decides, decides
from sync.central.records.shadow_words import WordRow, count_words, differences_of, differing_words
from sync.central.records.site import SiteSettings, read_site
from sync.central.services.told import Telling, told_of
from sync.central.store.transactions import ReadTransaction
from sync.clock import DAY_MS, iso

EXAMPLES = 5
WORDS, DAYS = 100, 7  # without a difference, before an action is ready


class Example(msgspec.Struct, frozen=True):
    """A word that the rules see differently."""

    word_id: str
    patient_id: str
    at: str
    state: str
    differences: tuple[Mapping[str, str | None], ...]


class ActionReport(msgspec.Struct, frozen=True):
    """An action in the shadow, since it is there: words, those with a difference, and differences by kind.

    `drifted` are the words that began in another state than the journey here. `is_ready`: enough words came in enough
    days without a difference.
    """

    action_type: str
    decider: Decider
    since: str
    words: int
    differing: int
    rate: float
    drifted: int
    kinds: Mapping[str, int]
    examples: tuple[Example, ...]
    is_ready: bool


def shadow_operations(centre: Centre) -> dict[str, TellingOperation]:
    """The operation on the shadow, by name."""
    return {"shadow": lambda arguments: _report(centre, arguments)}


def _report(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    """The reports on the actions that the centre does not decide, in the order of the rules."""
    words, days = int(arguments.get("words") or WORDS), int(arguments.get("days") or DAYS)
    with centre.store.read() as db:
        site, now_ms = read_site(db), centre.clock()
        elsewhere = [name for name in centre.definitions.actions if name in site.site.decided_elsewhere]
        quiet_since_ms = now_ms - days * DAY_MS
        actions = [_of_action(db, site, name, quiet_since_ms, words) for name in elsewhere]
    patients = [example.patient_id for action in actions for example in action.examples]
    return told_of({"actions": actions}, AuditKind.LOOK_SHADOW, patients)


def _of_action(
    db: ReadTransaction, site: SiteSettings, action_type: str, quiet_since_ms: int, words: int
) -> ActionReport:
    decided_by: Decides = decides(site.deciders, action_type)
    count = count_words(db, action_type, decided_by.since_ms)
    recent = count_words(db, action_type, max(decided_by.since_ms, quiet_since_ms))
    kinds: Counter[str] = Counter()
    for found, times in differences_of(db, action_type, decided_by.since_ms):
        kinds.update({kind: times for kind in {each.kind.value for each in found}})
    examples = differing_words(db, action_type, decided_by.since_ms, EXAMPLES)
    is_long_enough = decided_by.decider is Decider.SHADOW and decided_by.since_ms <= quiet_since_ms
    return ActionReport(
        action_type=action_type,
        decider=decided_by.decider,
        since=iso(decided_by.since_ms, site.site.timezone),
        words=count.words,
        differing=count.differing,
        rate=round(count.differing / count.words, 4) if count.words else 0.0,
        drifted=count.drifted,
        kinds=dict(sorted(kinds.items())),
        examples=tuple(_example(site, each) for each in examples),
        is_ready=is_long_enough and recent.words >= words and not recent.differing,
    )


def _example(site: SiteSettings, row: WordRow) -> Example:
    shown = tuple({"kind": d.kind, "word": d.word, "rules": d.rules, "exam_id": d.exam_id} for d in row.differences)
    return Example(row.word_id, row.patient_id, iso(row.at_ms, site.site.timezone), row.state, shown)
