"""A folder in which the hospital's system lays its documents: which are whole, and where they go.

A document goes to `done` or `refused` in the folder, under the time and its name, with its report beside it.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sync.durable import write_secret
from sync.ids import is_uuid, new_id

DONE, REFUSED = "done", "refused"
MARK = ".nfc-kiosk-folder"  # holds the id by which hosts know that they watch the same folder
_MOST_BYTES = 200  # of a document's name beside its time and the ending of its report; Linux takes 255 in all
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")
Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """A document as it was seen: its content has not changed since `since_s` on the monotonic clock."""

    signature: Signature
    since_s: float


class Folder:
    """One watched folder."""

    def __init__(self, path: Path, settle_s: float) -> None:
        """A document is whole once it has not changed for `settle_s`."""
        self._path = path
        self._settle_s = settle_s
        self._seen: dict[str, Seen] = {}

    def folder_id(self) -> str:
        """The id of the folder, which is made at its first use. Raises OSError."""
        mark = self._path / MARK
        with suppress(FileExistsError):
            file = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)  # for all hosts
            os.write(file, new_id().encode())
            os.close(file)
        found = mark.read_text("ascii", "replace").strip()
        if not is_uuid(found):
            raise OSError(f"{mark}: holds no id of a folder; delete it")
        return found

    def whole(self, now_s: float) -> list[str]:
        """The names of the documents that are whole, in the order of their names. Raises OSError."""
        found: dict[str, Seen] = {}
        with os.scandir(self._path) as entries:
            for entry in entries:
                if _is_document(entry) and (signature := _signature(entry)) is not None:
                    before = self._seen.get(entry.name)
                    is_same = before is not None and before.signature == signature
                    found[entry.name] = before if before is not None and is_same else Seen(signature, now_s)
        self._seen = found
        return sorted(name for name, each in found.items() if now_s - each.since_s >= self._settle_s)

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """A document, open. A link is not followed. Raises OSError."""
        file = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as document:
            yield document

    def is_unchanged(self, name: str) -> bool:
        """Whether the document of a name is still the one that was whole. False too where it is gone."""
        with suppress(OSError):
            return _signature_of(os.lstat(self._path / name)) == self._seen[name].signature
        return False

    def keep_report(self, name: str, into: str, at_ms: int, report: bytes) -> Path:
        """Writes the report of a document. Returns the place for the document beside it. Raises OSError.

        Of a long name the end is kept, which says the kind of the file.
        """
        (self._path / into).mkdir(mode=0o700, exist_ok=True)
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        end = shown(name).encode()[-_MOST_BYTES:].decode("utf-8", "ignore")
        place = self._path / into / f"{at:%Y%m%dT%H%M%S}.{at_ms % 1000:03}Z-{end}"
        write_secret(place.with_name(f"{place.name}.report.json"), report)
        return place

    def put_away(self, name: str, place: Path) -> None:
        """Moves a document beside its report. Raises OSError.

        Where the process is killed before, the document is still in the folder, and is taken once more.
        """
        (self._path / name).rename(place)
        self.forget(name)

    def forget(self, name: str) -> None:
        """Looks at a document again: it is whole once it has not changed for a while."""
        self._seen.pop(name, None)


def shown(name: str) -> str:
    """The name of a file as printable text. The hospital's system may write names in another encoding than UTF-8."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _is_document(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and not entry.name.lower().endswith(_UNFINISHED)


def _signature(entry: os.DirEntry[str]) -> Signature | None:
    """What tells two states of a file apart; None for what is no file, such as a folder or a link."""
    with suppress(OSError):  # it was moved away just now
        found = entry.stat(follow_symlinks=False)
        return _signature_of(found) if stat.S_ISREG(found.st_mode) else None
    return None


def _signature_of(found: os.stat_result) -> Signature:
    return found.st_ino, found.st_size, found.st_mtime_ns
