"""An access log with looks, refusals and acts of a morning, for the page of the access log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect

from sync.central.maintenance.log_sealing import seal_log
from sync.central.maintenance.log_verifying import verify_log
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.duties import Duty
from tests.sync.central.online import Online
from tests.sync.central.staff.people import Person, person, signed_in

MORNING: tuple[tuple[str, AuditKind, str | None, dict[str, Any]], ...] = (
    ("staff:kim", AuditKind.SIGN_IN, None, {"from": "10.1.20.31"}),
    ("staff:kim", AuditKind.LOOK_BOARD, None, {"from": "10.1.20.31", "patient_ids": ["P01", "P02", "P03"]}),
    ("staff:kim", AuditKind.LOOK_HISTORY, "P01", {"from": "10.1.20.31", "channel": "rest"}),
    ("staff:lee", AuditKind.BIND, "P01", {"from": "10.1.20.44", "binding_id": "b1"}),
    ("unknown", AuditKind.REFUSED_SIGN_IN, None, {"from": "10.1.99.7", "count": 4}),
    ("command line:root", AuditKind.BACKUP, None, {"change": 17}),
    ("staff:=1+1", AuditKind.LOOK_STATE, "P02", {"from": "10.1.20.31"}),
)


def morning(online: Online, times: int = 1) -> None:
    """Rows of a morning, sealed and verified, and one that is not sealed yet."""
    with online.centre.store.write() as db:
        for _ in range(times):
            for who, kind, patient_id, detail in MORNING:
                note(db, who, kind, online.centre.clock(), patient_id=patient_id, detail=detail)
    seal_log(online.centre.parts, at_once=True)
    verify_log(online.centre.parts)
    with online.centre.store.write() as db:
        note(
            db, "staff:kim", AuditKind.LOOK_DESK, online.centre.clock(), patient_id="P03", detail={"from": "10.1.20.31"}
        )


def administrator(online: Online) -> Person:
    """A person who may read the log."""
    return person(online, Duty.ADMINISTRATOR, name="관리자")


@contextmanager
def log_page(browser: Browser, online: Online, who: Person, **more: Any) -> Iterator[Page]:
    """The page, with the rows of its first search."""
    with signed_in(browser, online, who, "/staff/log", **more) as page:
        expect(page.locator("#rows tbody tr").first).to_be_visible()
        yield page
