"""The user of PostgreSQL's programs: they refuse to run as root, so they run as `postgres` where the tests are root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAME = "postgres"


def own(path: Path) -> None:
    """Gives a file or a directory to that user."""
    if _is_root():
        shutil.chown(path, NAME, NAME)


def as_user(*options: str) -> list[str]:
    """The words before a command that run it as that user. `options` are more of `setpriv`."""
    change = [f"--reuid={NAME}", f"--regid={NAME}", "--clear-groups"] if _is_root() else []
    return ["setpriv", *change, *options, "--"] if change or options else []


def _is_root() -> bool:
    return os.geteuid() == 0
