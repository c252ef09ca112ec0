"""A board as a client keeps it: the whole once, and then what changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class BoardClient:
    """Applies the messages of a board's socket, as docs/api.md says it."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    exams: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, message: dict[str, Any]) -> None:
        """A message of the socket."""
        payload = message["payload"]
        if message["type"] == "board":
            self.__init__()  # type: ignore[misc]
            self._take_rows(payload["entries"])
            for row in payload["entries"]:
                self.lines.setdefault(row["exam_id"], []).append(row["queue_id"])
        else:
            for queue_id in payload["gone"]:
                self._leave(queue_id)
            self._take_rows(payload["rows"])
            self.lines |= {exam_id: list(line) for exam_id, line in payload["order"].items()}
        self.ended |= {row["queue_id"]: row for row in payload["ended"]}
        self.exams |= {exam["exam_id"]: exam for exam in payload["exams"]}

    def shown(self) -> list[dict[str, Any]]:
        """The live rows of each line, with the people ahead."""
        found = []
        for line in self.lines.values():
            ahead = 0
            for row in (self.rows[queue_id] for queue_id in line):
                here = ahead if row["waits"] else 0
                found.append(row | {"people_ahead": here, "estimated_wait_time": here * row["minutes"]})
                ahead += row["is_in_line"]
        return found

    def _take_rows(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            before = self.rows.get(row["queue_id"])
            if before is not None and before["exam_id"] != row["exam_id"]:
                self._leave(row["queue_id"])
            self.rows[row["queue_id"]] = row
            self.ended.pop(row["queue_id"], None)

    def _leave(self, queue_id: str) -> None:
        self.rows.pop(queue_id, None)
        self.ended.pop(queue_id, None)
        for line in self.lines.values():
            if queue_id in line:
                line.remove(queue_id)
