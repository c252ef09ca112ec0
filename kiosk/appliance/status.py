"""The status of a kiosk for programs on the same machine: ids and counts, no person's data."""

import dataclasses
import sqlite3
from collections.abc import Sequence
from typing import Any

from kiosk.appliance.unknown_forms import SeenForm
from kiosk.store import outbox, outbox_parked
from kiosk.store.identity import read_identity
from kiosk.store.outbox_parked import Parked
from sync.clock import iso
from sync.protocol import EndCode


def status(
    connection: sqlite3.Connection,
    *,
    running: bool,
    online: bool,
    reason: str,
    refusal: EndCode | None = None,
    readers: Sequence[Any],
    fields: Sequence[str] = (),
    unknown_forms: Sequence[SeenForm] = (),
    faults: Sequence[str],
) -> dict[str, Any]:
    """Returns the answer of `kiosk status --json`. `readers` are dataclasses; `reason` is why the last sync failed.

    `refusal`: what the centre said of this kiosk's token to the last call. `fields` are the names of the readers
    and slots that hold a card.
    """
    from importlib.metadata import version  # most commands ask the daemon, and need not load it

    identity = read_identity(connection)
    site = identity.site if identity else None
    as_of_ms = identity.as_of_ms if identity else None
    timezone = site.timezone if site else "UTC"
    oldest, parked = outbox.oldest_pending(connection), outbox_parked.parked(connection)
    return {
        "version": version("nfc-kiosk"),
        "running": running,
        "enrolled": identity is not None,
        "ended": identity is not None and identity.ended_ms is not None,
        "not_known": refusal is EndCode.NOT_KNOWN,
        "replaced": refusal is EndCode.REPLACED,
        "kiosk": {
            "id": identity.kiosk_id,
            "name": identity.name,
            "ticket_prefix": identity.ticket_prefix,
            "actions": sorted(identity.actions),
            "epoch": identity.epoch,
        }
        if identity
        else None,
        "site": {"site_id": identity.site_id, "name": identity.site.name} if identity else None,
        "online": online,
        "sync_error": reason or None,
        "roster": {
            "patients": connection.execute("select count(*) from patients where provisional = 0").fetchone()[0],
            "cursor": identity.cursor if identity else 0,
            "as_of": iso(as_of_ms, site.timezone) if site and as_of_ms is not None else None,
        },
        "outbox": {
            "pending": outbox.pending_count(connection),
            "total": connection.execute("select count(*) from outbox").fetchone()[0],
            "waiting_since": iso(oldest["applied_ms"], timezone) if oldest else None,
            "refused_by_network": {
                "actions": parked.number,
                "action_id": parked.action_id,
                "since": iso(parked.since_ms, timezone),
            }
            if parked
            else None,
        },
        "readers": [dataclasses.asdict(reader) for reader in readers],
        "fields": list(fields),
        "unknown_forms": [_seen_form(form, timezone) for form in unknown_forms],
        "faults": [*faults, *([_refused_in_words(parked, timezone)] if parked else [])],
    }


def _refused_in_words(parked: Parked, timezone: str) -> str:
    several = f"{parked.number} actions, the first of them"
    return (
        f"the centre's network refuses {'one action' if parked.number == 1 else several} {parked.action_id},"
        f" since {iso(parked.since_ms, timezone)}: mend the firewall, or kiosk outbox --set-aside FILE --action ID"
    )


def _seen_form(form: SeenForm, timezone: str) -> dict[str, Any]:
    return {
        "atr": form.atr,
        "technology": form.technology or None,
        "id_bytes": form.id_bytes,
        "count": form.count,
        "last": iso(form.last_ms, timezone),
    }


def outbox_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Returns the answer of `kiosk outbox --json`, oldest row first."""
    return [dataclasses.asdict(row) for row in outbox.rows(connection)]
