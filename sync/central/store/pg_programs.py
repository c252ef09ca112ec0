"""PostgreSQL's own programs for backup and restore: `pg_dump` and `pg_restore`."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg

_FOR_ANY_ROLE = ("--no-owner", "--no-acl")
_MISSING = "{program} is not installed here: apt install postgresql-client"


def dump(url: str, file: Path, snapshot: str, schema: str | None = None) -> None:
    """Writes what an exported snapshot of a database sees of a schema, or of all, into a file. Raises OSError."""
    chosen = (f"--snapshot={snapshot}", f"--file={file}", *([f"--schema={schema}"] if schema else []))
    _run(["pg_dump", "--format=custom", *_FOR_ANY_ROLE, *chosen], url)


def read_through(file: Path) -> None:
    """Reads a dump to its end. Raises OSError where it is damaged, or no dump."""
    _run(["pg_restore", "--file=/dev/null", str(file)])


def load(url: str, file: Path, schema: str) -> None:
    """Makes the tables that a dump has of a schema in a database, all of them or none. Raises OSError."""
    name = psycopg.conninfo.conninfo_to_dict(url).get("dbname", "")
    _run(
        ["pg_restore", "--single-transaction", *_FOR_ANY_ROLE, f"--schema={schema}", f"--dbname={name}", str(file)], url
    )


def _run(words: Sequence[str], url: str | None = None) -> None:
    program = shutil.which(words[0])
    if program is None:
        raise OSError(_MISSING.format(program=words[0]))
    # Other users of this machine can read a command line, but not a process's environment.
    environment = os.environ | (_environment(url) if url else {})
    done = subprocess.run([program, *words[1:]], env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        # The lines after the first one may quote a row.
        raise OSError((done.stderr or f"{words[0]} ended with {done.returncode}").partition("\n")[0])


def _environment(url: str) -> dict[str, str]:
    """What a URL says, as the variables that libpq reads."""
    options = psycopg.pq.Conninfo.parse(url.encode())
    return {each.envvar.decode(): each.val.decode() for each in options if each.envvar and each.val is not None}
