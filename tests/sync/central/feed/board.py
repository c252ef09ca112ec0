"""A receiver that folds the events of the feed into what a board shows, and what the database has in its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from sync.central.centre import Centre
from sync.central.feed.reading import OLDEST, place_of, read_page
from sync.central.services.errors import ApiError

Shown = dict[str, tuple[Any, ...]]


@dataclass
class Board:
    """The entries by their ids, and all that was told."""

    entries: Shown = field(default_factory=dict)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # the events by their ids

    def take(self, event: dict[str, Any]) -> None:
        """Takes an event as JSON has it. One that comes again changes nothing."""
        self.told[event["id"]] = event
        patient_id, gone, entry = event["patient_id"], event["merged_patient_id"], event["entry"]
        if gone is not None:
            self.entries = {
                name: (patient_id if shown[0] == gone else shown[0], *shown[1:]) for name, shown in self.entries.items()
            }
        if entry is not None:
            numbers = (entry["queue_number"], *entry["other_numbers"])
            place = (entry["exam_id"], entry["room"], entry["state"], entry["appointment_id"])
            self.entries[entry["queue_id"]] = (patient_id, *place, numbers)


class Receiver:
    """Reads the feed page by page, and begins again with an empty board where its cursor is gone."""

    def __init__(self, limit: int = 7) -> None:
        self.board = Board()
        self.beginnings = 1
        self._limit = limit
        self._cursor = OLDEST

    def read(self, centre: Centre) -> Board:
        """Reads to the end."""
        while not self._read_page(centre):
            pass
        return self.board

    def _read_page(self, centre: Centre) -> bool:
        with centre.store.read() as db:
            after = place_of(db, self._cursor)
            page = None if isinstance(after, ApiError) else read_page(db, centre, after, self._limit)
        if page is None:
            self.board, self._cursor = Board(), OLDEST
            self.beginnings += 1
            return False
        for event in msgspec.json.decode(msgspec.json.encode(page.events)):
            self.board.take(event)
        self._cursor = page.cursor
        return page.until == page.latest


def shown(centre: Centre) -> Shown:
    """The entries in the database."""
    with centre.store.read() as db:
        rows = db.rows("select * from entries")
    return {
        row["queue_id"]: (
            *(row[name] for name in ("patient_id", "exam_id", "room", "state", "appointment_id")),
            (row["queue_number"], *msgspec.json.decode(row["label_aliases"])),
        )
        for row in rows
    }
