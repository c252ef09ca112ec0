"""The incarnation of the database as a row: its id, the id of its last opening, and the secret behind its cursors."""

from dataclasses import dataclass

from sync.central.store.transactions import ReadTransaction, WriteTransaction


@dataclass(frozen=True, slots=True)
class Incarnation:
    """The id of the incarnation, which kiosks get, and the id of the database's last opening.

    `cursor_secret` (32 bytes in hex) is made at the first opening, stays through every incarnation, and never leaves
    the centre. It signs the cursors that kiosks get.
    """

    server_incarnation: str
    opened_id: str
    cursor_secret: str


def read_incarnation(db: ReadTransaction) -> Incarnation | None:
    """The incarnation; None for a database that was never opened."""
    row = db.row("select server_incarnation, opened_id, cursor_secret from incarnation")
    return Incarnation(*row) if row else None


def write_incarnation(db: WriteTransaction, incarnation: Incarnation) -> None:
    """Writes the incarnation, in place of an earlier one."""
    db.execute(
        "insert into incarnation values (1, :incarnation, :opened_id, :secret) on conflict (id) do update"
        " set server_incarnation = excluded.server_incarnation, opened_id = excluded.opened_id,"
        " cursor_secret = excluded.cursor_secret",
        {
            "incarnation": incarnation.server_incarnation,
            "opened_id": incarnation.opened_id,
            "secret": incarnation.cursor_secret,
        },
    )
