"""Opens a database by its URL."""

from pathlib import Path

from sync.central.store.errors import StoreError
from sync.central.store.interface import Store
from sync.central.store.news import News
from sync.central.store.place import is_postgresql
from sync.central.store.share import Share


def open_store(
    url: str,
    state_dir: Path | None = None,
    *,
    direct: str | None = None,
    news: News | None = None,
    create: bool = True,
    share: Share = Share.HOST,
) -> Store:
    """Opens the database, and brings its schema up to date.

    Without `create` there must be a centre's database: an empty one under a mistyped name would be another centre.
    Keys, marker and control socket are in `state_dir`, which is made, or beside the file of SQLite. `direct` is the URL
    of the same database past a pooler. Raises StoreError, or InUse where another process has what `share` demands.
    """
    if state_dir is not None:
        _make(state_dir)
    # Imported here: a centre on one of them loads nothing of the other.
    if is_postgresql(url):
        from sync.central.store.postgres import PostgresStore

        return PostgresStore(url, state_dir, direct=direct, news=news, create=create, share=share)
    from sync.central.store.sqlite import SqliteStore

    return SqliteStore(url, state_dir, news=news, create=create)


def _make(state_dir: Path) -> None:
    """Makes the directory of the state, which only its owner may enter. Raises StoreError."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{state_dir}: {error.strerror}") from error
