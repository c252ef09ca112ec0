"""The kiosk's audit trail: a row for each action accepted, refused or judged, and for each change of the kiosk itself.

The rows hold ids, no names.
"""

import sqlite3


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
    connection.execute(
        "insert into audit (at_ms, kind, patient_id, action_id, from_state, to_state, detail)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (at_ms, kind, patient_id, action_id, from_state, to_state, detail),
    )


def forget_before(connection: sqlite3.Connection, at_ms: int) -> None:
    """Removes the rows older than `at_ms` (UTC ms)."""
    connection.execute("delete from audit where at_ms < ?", (at_ms,))
