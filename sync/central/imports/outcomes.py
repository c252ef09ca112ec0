"""What became of a row of a document."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TakenRow:
    """A row that was taken. `changed`: its record differs from before. `cards`: the number of cards that changed.

    `note` says in English what the row says and was left out for a reason; empty where all of it was taken.
    """

    changed: bool
    cards: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of which nothing was taken, and why, in English, for the operator."""

    reason: str


RowOutcome = TakenRow | RefusedRow
UNCHANGED = TakenRow(changed=False)
