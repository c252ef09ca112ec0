"""What a restore says of itself."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The last change number in the restored database, and where the old one is kept (None where there was none).

    That is a file, or a schema of PostgreSQL.
    """

    change: int
    kept: Path | str | None
