"""The place of a database, by its URL."""

import re
from pathlib import Path
from urllib.parse import unquote

from sync.central.store.errors import StoreError
from sync.database_file import real_path


def database_path(url: str) -> Path:
    """The file of a `sqlite:///relative` or `sqlite:////absolute` URL. Raises StoreError for any other URL."""
    match = re.fullmatch(r"sqlite:///([^?#]+)", url)
    if match is None:
        raise StoreError(f"{url[:200]}: this version does not know such a database URL; give sqlite:///path/to/file.db")
    return real_path(Path(unquote(match[1])))
