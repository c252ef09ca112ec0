"""What became of a row of a document."""

from collections.abc import Mapping
from dataclasses import dataclass

from sync.journey.model import PatientId


@dataclass(frozen=True, slots=True)
class TakenRow:
    """A row that was taken. `changed`: its record differs from before. `cards`: the number of cards that changed.

    `note` says in English what the row says and was left out for a reason; empty where all of it was taken.
    `omits`: the patient holds cards by earlier documents that the row leaves out.
    """

    changed: bool
    cards: int = 0
    note: str = ""
    omits: bool = False


@dataclass(frozen=True, slots=True)
class HeldCards:
    """A row that was not taken: other patients hold cards of it by an earlier document.

    `holders` has the holder of each, by the number of the card in the row, from 1 on. The row can be taken where the
    holders give the cards up in the same document.
    """

    holders: Mapping[int, PatientId]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of which nothing was taken, and why, in English, for the operator.

    `names` is the patient, if any, whom the reason names and the row does not.
    """

    reason: str
    names: PatientId | None = None


RowOutcome = TakenRow | HeldCards | RefusedRow
UNCHANGED = TakenRow(changed=False)
