"""The kiosk's audit trail: a row for each action refused or judged, and for each change of the kiosk itself.

An accepted action gets its row when the outbox forgets it: until then the row of the outbox is the record. The rows
hold ids, no names.
"""

import sqlite3
from collections.abc import Iterable

from sync.protocol import VerdictRow

_ADD = (
    "insert into audit (at_ms, kind, patient_id, action_id, from_state, to_state, detail) values (?, ?, ?, ?, ?, ?, ?)"
)


def note(
    connection: sqlite3.Connection,
    at_ms: int,
    kind: str,
    detail: str,
    *,
    patient_id: str | None = None,
    action_id: str | None = None,
    from_state: str | None = None,
    to_state: str | None = None,
) -> None:
    """Adds a row, in the transaction of the event itself. `at_ms` is UTC ms."""
    connection.execute(_ADD, (at_ms, kind, patient_id, action_id, from_state, to_state, detail))


def note_verdicts(connection: sqlite3.Connection, at_ms: int, judged: Iterable[tuple[str, VerdictRow]]) -> None:
    """Adds a row for each of these verdicts, with the patient of its action."""
    connection.executemany(
        _ADD,
        [
            (
                at_ms,
                "verdict",
                patient_id,
                verdict.action_id,
                None,
                verdict.journey.state if verdict.journey else None,
                f"{verdict.verdict} {verdict.code}",
            )
            for patient_id, verdict in judged
        ],
    )


def note_applied(connection: sqlite3.Connection, forgotten: Iterable[sqlite3.Row]) -> None:
    """Adds a row for each accepted action that the outbox has forgotten: `outbox.forget_backed_up()` returns them."""
    connection.executemany(
        "insert into audit (at_ms, kind, patient_id, action_id, detail) values (?, 'applied', ?, ?, ?)",
        [(row["applied_ms"], row["patient_id"], row["action_id"], row["action_type"]) for row in forgotten],
    )


def forget_before(connection: sqlite3.Connection, at_ms: int) -> None:
    """Removes the rows older than `at_ms` (UTC ms)."""
    connection.execute("delete from audit where at_ms < ?", (at_ms,))
