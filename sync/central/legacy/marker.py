"""What this program has done to an old database, noted in that database: by it a second run is refused."""

import msgspec

from sync.central.legacy.old_database import OldDatabase

_TABLE = "nfc_kiosk_migration"


def read_mark(old: OldDatabase, what: str) -> dict[str, str] | None:
    """What was noted under a name; None for nothing."""
    if not old.columns(_TABLE):
        return None
    found = old.read(f"select content from {_TABLE} where what = ?", (what,))  # noqa: S608
    return msgspec.json.decode(found[0][0], type=dict[str, str]) if found else None


def write_mark(old: OldDatabase, what: str, content: dict[str, str]) -> None:
    """Notes something under a name, in place of what was noted before."""
    old.write(f"create table if not exists {_TABLE} (what text primary key, content text not null)")
    old.write(f"delete from {_TABLE} where what = ?", (what,))  # noqa: S608
    old.write(f"insert into {_TABLE} values (?, ?)", (what, msgspec.json.encode(content).decode()))  # noqa: S608


def remove_mark(old: OldDatabase, what: str) -> None:
    """Removes a note."""
    old.write(f"delete from {_TABLE} where what = ?", (what,))  # noqa: S608
