"""Kiosks that are enrolled at a centre for a benchmark, and a token of staff."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync.central.kiosks.enrolment import enrol_kiosk, new_code
from sync.central.opening import open_centre
from sync.central.records.site import read_site
from sync.central.records.tokens import issue
from sync.journey.model import Role
from sync.protocol import Enrolment, EnrolRequest


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A token of staff, and what the process of the kiosks has to know (JSON): their ids and tokens, and the site."""

    token: str
    document: dict[str, Any]


def enrol_kiosks(url: str, number: int, state_dir: Path | None = None) -> Enrolled:
    """Enrols so many kiosks at a centre that does not run."""
    centre = open_centre(url, state_dir=state_dir)
    with centre.store.write() as db:
        token = issue(db, Role.STAFF, centre.clock(), name="bench")
    kiosks = []
    for each in range(number):
        with centre.store.write() as db:
            code = new_code(db, centre.clock())
        made = enrol_kiosk(centre, EnrolRequest(code=code, kiosk_id=f"kiosk-{each}"), "127.0.0.1")
        assert isinstance(made, Enrolment)
        kiosks.append([made.kiosk_id, made.token])
    with centre.store.read() as db:
        site_id = read_site(db).site_id
    document = {
        "site_id": site_id,
        "definitions_version": centre.definitions.version,
        "card_key_id": centre.keys.published.newest,
        "kiosks": kiosks,
    }
    centre.store.close()
    return Enrolled(token, document)
