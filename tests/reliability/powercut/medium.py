"""The durable and the pending content of a medium, and the possible content of the files after a power cut.

A successful sync makes durable: the bytes and the size of a file, or the entries of the directory. Of everything since,
each sector and each entry is kept, lost or torn by itself, in any order.

A failed sync makes nothing durable, nor does the next sync: Linux (ext4, XFS) counts those pages as clean from then on.
Programs still read them as written, but a page reaches the medium only after it is written again.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from tests.reliability.powercut.journal import Event, Kind


@dataclass(frozen=True, slots=True)
class Mood:
    """The effect of a power cut on the sectors that were not durable: the share that is kept, and the share of those
    that is torn. `in_order`: the device had written some first sectors, and none after them.
    """

    kept: float
    torn: float = 0.0
    in_order: bool = False


MOODS = (
    Mood(0.0),
    Mood(1.0),
    Mood(0.5),
    Mood(0.5, 0.3),
    Mood(0.9, 0.05),
    Mood(0.1, 0.05),
    Mood(0.5, 0.0, in_order=True),
    Mood(0.8, 0.02, in_order=True),
    Mood(1.0, 0.5),
)


@dataclass(frozen=True, slots=True)
class Medium:
    """A medium that writes `sector` bytes as one.

    `careless`: a torn sector is completely garbage, including bytes that were durable. Else only the bytes of the write
    are garbage, as SQLite expects by its "powersafe overwrite".
    """

    sector: int = 512
    careless: bool = False


PAGE = 4096


@dataclass(slots=True)
class Body:
    """A file: its durable content, and the writes (offset, bytes) and truncations (size, None) since then.

    `cached` is what the running system reads. `forgotten` are the pages that no sync will write to the medium.
    """

    sure: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    cached: bytearray = field(default_factory=bytearray)
    forgotten: set[int] = field(default_factory=set)

    def put(self, offset: int, data: bytes | None) -> None:
        """A write or a truncation. The pages that it touches can reach the medium again."""
        if self.forgotten and data is not None:
            for page in self.forgotten & pages(offset, data):
                self.forgotten.discard(page)
                self._bring_back(page)
        put(self.cached, offset, data)
        self.pending.append((offset, data))

    def _bring_back(self, page: int) -> None:
        """Makes the bytes of a page that differ from the medium pending again."""
        begin = page * PAGE
        wanted = self.cached[begin : begin + PAGE]
        there = self.sure[begin : begin + PAGE].ljust(len(wanted), b"\0")
        changed = [n for n, (one, other) in enumerate(zip(wanted, there, strict=False)) if one != other]
        if changed:
            self.pending.append((begin + changed[0], bytes(wanted[changed[0] : changed[-1] + 1])))

    def sync(self) -> None:
        """Makes all pending writes durable."""
        for offset, data in self.pending:
            put(self.sure, offset, data)
        self.pending = []

    def fail_to_sync(self, found: bytearray) -> None:
        """A failed sync: the medium holds `found`, and the pages that were pending are forgotten."""
        for offset, data in self.pending:
            if data is not None:
                self.forgotten |= pages(offset, data)
        self.sure, self.pending = found, []


class Disk:
    """One directory on a medium. Events are applied in order; `found` may be called at any moment."""

    def __init__(self, medium: Medium, seed: str) -> None:
        self._medium = medium
        self._chance = random.Random(seed)
        self._bodies: dict[int, Body] = {}
        self._names: dict[str, int] = {}  # as the running system sees them
        self._sure_names: dict[str, int] = {}
        self._pending_names: list[dict[str, int | None]] = []

    def apply(self, event: Event) -> None:
        """Applies the next event."""
        match event.kind:
            case Kind.CREATED:
                self._bodies[event.file] = Body()
                self._rename({event.payload.decode(): event.file})
            case Kind.WRITTEN:
                self._bodies[event.file].put(event.offset, event.payload)
            case Kind.TRUNCATED:
                self._bodies[event.file].put(event.offset, None)
            case Kind.SYNCED if event.error:
                body = self._bodies[event.file]
                body.fail_to_sync(self._found(body, self._chance))
            case Kind.SYNCED:
                self._bodies[event.file].sync()
            case Kind.UNLINKED:
                self._rename({event.payload.decode(): None})
            case Kind.RENAMED:
                source, target = event.payload.decode().split("\0")
                self._rename({source: None, target: self._names[source]})
            case Kind.DIRECTORY_SYNCED if not event.error:
                self._sure_names, self._pending_names = dict(self._names), []

    def now(self) -> dict[str, bytes]:
        """All files as the running system reads them."""
        return {name: bytes(self._bodies[file].cached) for name, file in self._names.items()}

    def found(self, chance: random.Random) -> dict[str, bytes]:
        """The possible content of all files after a power cut now."""
        return {name: bytes(self._found(self._bodies[file], chance)) for name, file in self._entries(chance).items()}

    def _rename(self, change: dict[str, int | None]) -> None:
        self._pending_names.append(change)
        _name(self._names, change)

    def _entries(self, chance: random.Random) -> dict[str, int]:
        """The durable entries with any of the later changes. A later change of a name needs the earlier ones."""
        entries, lost = dict(self._sure_names), set[str]()
        for change in self._pending_names:
            if lost & change.keys() or chance.random() < 0.5:
                lost |= change.keys()
            else:
                _name(entries, change)
        return entries

    def _found(self, body: Body, chance: random.Random) -> bytearray:
        content = bytearray(body.sure)
        if not body.pending:
            return content
        sizes, versions = self._versions(body)
        size, mood = chance.choice(sizes), chance.choice(MOODS)
        stale = chance.random() < 0.25  # a file that grew may show the earlier content of its new blocks
        content += chance.randbytes(max(sizes) - len(content)) if stale else bytes(max(sizes) - len(content))
        order = sum(len(each) for each in versions.values())
        reached = int(order * chance.random())
        for sector, writes in versions.items():
            kept = [w for w in writes if (w.order < reached if mood.in_order else chance.random() < mood.kept)]
            if kept:
                write = kept[-1] if mood.in_order else chance.choice(kept)
                self._lay(content, sector, self._torn(write, content, sector, chance, mood))
        del content[size:]
        return content

    def _lay(self, content: bytearray, sector: int, data: bytes) -> None:
        begin = sector * self._medium.sector
        content[begin : begin + len(data)] = data

    def _torn(self, write: Version, content: bytearray, sector: int, chance: random.Random, mood: Mood) -> bytes:
        """The sector's bytes as written, or in part where the sector is torn."""
        if chance.random() >= mood.torn:
            return write.data
        if self._medium.careless:
            return chance.randbytes(len(write.data))
        split = chance.randrange(write.begin, write.end)
        torn = bytearray(write.data)
        if chance.random() < 0.5:
            begin = sector * self._medium.sector
            torn[split : write.end] = content[begin + split : begin + write.end]
        else:
            torn[split : write.end] = chance.randbytes(write.end - split)
        return bytes(torn)

    def _versions(self, body: Body) -> tuple[list[int], dict[int, list[Version]]]:
        """All sizes of the file since it was last durable, and all contents of each touched sector."""
        size = self._medium.sector
        content, sizes = bytearray(body.sure), [len(body.sure)]
        versions: dict[int, list[Version]] = defaultdict(list)
        order = 0
        for offset, data in body.pending:
            put(content, offset, data)
            sizes.append(len(content))
            if data is None:
                continue
            end = offset + len(data)
            for sector in range(offset // size, (end - 1) // size + 1):
                begin = sector * size
                whole = bytes(content[begin : begin + size])
                versions[sector].append(Version(whole, max(offset - begin, 0), min(end - begin, len(whole)), order))
                order += 1
        return sizes, versions


@dataclass(frozen=True, slots=True)
class Version:
    """A sector's content after a write, which wrote `begin` to `end`. `order` is its place among all writes."""

    data: bytes
    begin: int
    end: int
    order: int


def pages(offset: int, data: bytes) -> set[int]:
    """The numbers of the pages that a write touches."""
    return set(range(offset // PAGE, (offset + len(data) - 1) // PAGE + 1))


def put(content: bytearray, offset: int, data: bytes | None) -> None:
    """Writes into a file's content, or truncates it (`data` None)."""
    if data is None:
        if offset < len(content):
            del content[offset:]
        else:
            content += bytes(offset - len(content))
        return
    if offset > len(content):
        content += bytes(offset - len(content))
    content[offset : offset + len(data)] = data


def _name(entries: dict[str, int], change: dict[str, int | None]) -> None:
    for name, file in change.items():
        if file is None:
            entries.pop(name, None)
        else:
            entries[name] = file
