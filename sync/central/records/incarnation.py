"""The incarnation of the database as a row, with the secret behind its cursors, and its last opening from each host."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class Incarnation:
    """The id of the incarnation, which kiosks get.

    `cursor_secret` (32 bytes in hex) is made at the first opening, stays through every incarnation, and never leaves
    the centre. It signs the cursors that kiosks get.
    """

    server_incarnation: str
    cursor_secret: str


def read_incarnation(db: ReadTransaction) -> Incarnation | None:
    """The incarnation; None for a database that was never opened."""
    row = db.row("select server_incarnation, cursor_secret from incarnation")
    return Incarnation(*row) if row else None


def write_incarnation(db: WriteTransaction, incarnation: Incarnation) -> None:
    """Writes the incarnation, in place of an earlier one."""
    db.execute(
        "insert into incarnation values (1, :incarnation, :secret) on conflict (id) do update"
        " set server_incarnation = excluded.server_incarnation, cursor_secret = excluded.cursor_secret",
        {"incarnation": incarnation.server_incarnation, "secret": incarnation.cursor_secret},
    )


def opened_from(db: ReadTransaction, host_id: str) -> str | None:
    """The id of the last opening from a host; None where the database does not know the host."""
    row = db.row("select opened_id from openings where host_id = :host_id", host_id=host_id)
    return str(row["opened_id"]) if row else None


def note_opening(db: WriteTransaction, host_id: str, opened_id: str) -> None:
    """Writes the last opening from a host."""
    db.execute(
        "insert into openings values (:host_id, :opened_id)"
        " on conflict (host_id) do update set opened_id = excluded.opened_id",
        {"host_id": host_id, "opened_id": opened_id},
    )


def forget_openings(db: WriteTransaction) -> None:
    """Forgets the openings from every host."""
    db.execute("delete from openings")
