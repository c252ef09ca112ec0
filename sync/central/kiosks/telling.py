"""Whose data the answers to kiosks hold. An answer of a type that is not listed here cannot leave the centre."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sync.central.kiosks.answering import Pulled
from sync.central.records.audit_kinds import AuditKind
from sync.central.services.told import AboutNobody, Telling, Told, told_of
from sync.protocol import CallRefused, DeskCardAnswer, Enrolment, LookupAnswer, PushAnswer, TokenAnswer


def telling_of(answer: object) -> Telling:
    """What an answer to a kiosk tells. Raises TypeError for an answer whose patients nobody has stated."""
    state = _TELLINGS.get(type(answer))
    if state is None:
        raise TypeError(f"a {type(answer).__name__} does not say whose data it holds")
    return state(answer)


def _of_page(page: Pulled) -> Telling:
    return Told(page.head, AuditKind.TOLD_ROSTER, page.rows.named, page.day, page.rows.members)


def _of_push(answer: PushAnswer) -> Telling:
    return told_of(answer, AuditKind.TOLD_VERDICTS, list(_patients(answer)))


def _of_lookup(answer: LookupAnswer) -> Telling:
    found = [answer.patient.patient_id] if answer.patient else []
    return told_of(answer, AuditKind.LOOK_CARD, found)


def _patients(answer: PushAnswer) -> Iterator[str]:
    yield from (each.patient_id for each in answer.verdicts if each.patient_id is not None)


_TELLINGS: Mapping[type, Callable[[Any], Telling]] = {
    Pulled: _of_page,
    PushAnswer: _of_push,
    LookupAnswer: _of_lookup,
    DeskCardAnswer: AboutNobody,
    Enrolment: AboutNobody,
    TokenAnswer: AboutNobody,
    CallRefused: AboutNobody,
}
