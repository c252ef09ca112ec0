"""The place of a database by its URL, and the place of what the centre keeps beside it.

Keys, marker and control socket are files of this machine, and never in the database. They are named after one path:
that of the database's own file, or `central` in the state directory.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from sync.central.store.errors import StoreError
from sync.database_file import real_path

POSTGRESQL = ("postgresql://", "postgres://")
_NAME = "central"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is.

    - `url`: as it was given. It may hold a password, so it is never shown.
    - `direct`: the same database past a pooler, for a connection that keeps locks and hears news.
    - `file`: the file of SQLite; None for a database on a server.
    - `state`: the path that keys, marker and control socket are named after. The files have endings of their own.
    - `shown`: the database as messages name it, without a password.
    """

    url: str = field(repr=False)
    direct: str = field(repr=False)
    file: Path | None
    state: Path
    shown: str

    def __str__(self) -> str:
        return self.shown


def place_of(url: str, state_dir: Path | None = None, direct: str | None = None) -> Place:
    """The place of a database. Its files of state are in `state_dir`, or beside the database's own file.

    `direct` is the URL of the same database past a pooler. Raises StoreError for a URL of neither database, and for
    PostgreSQL without a state directory.
    """
    if direct is not None and not (is_postgresql(url) and is_postgresql(direct)):
        raise StoreError("--direct-database is the same database of PostgreSQL as --database, past its pooler")
    if not is_postgresql(url):
        path = database_path(url)
        return Place(url, url, path, state_dir / path.name if state_dir else path, str(path))
    shown = _without_secrets(url)
    if state_dir is None:
        raise StoreError(f"{shown}: give --state-dir too, the directory for the key file and the control socket")
    return Place(url, direct or url, None, real_path(state_dir / _NAME), shown)


def is_postgresql(url: str) -> bool:
    """Whether a URL names a database of PostgreSQL."""
    return url.startswith(POSTGRESQL)


def database_path(url: str) -> Path:
    """The file of a `sqlite:///relative` or `sqlite:////absolute` URL. Raises StoreError for any other URL."""
    match = re.fullmatch(r"sqlite:///([^?#]+)", url)
    if match is None:
        raise StoreError(
            f"{_without_secrets(url)[:200]}: this version does not know such a database URL;"
            " give sqlite:///path/to/file.db or postgresql://host/database"
        )
    return real_path(Path(unquote(match[1])))


def _without_secrets(url: str) -> str:
    """A URL without its user, its password and its options: a host may be told, and what else may be a secret."""
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    # A password may hold any sign, an @ or a / among them, where somebody has not encoded it.
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
