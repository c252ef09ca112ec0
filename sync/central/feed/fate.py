"""What became of a message to the receiver of a webhook."""

from dataclasses import dataclass
from enum import Enum, auto


class Fate(Enum):
    """What became of a message."""

    TAKEN = auto()
    REFUSED = auto()  # the receiver answers, and does not want this one
    FAILED = auto()  # nobody takes any message at present
    UNWANTED = auto()  # the receiver wants no more


@dataclass(frozen=True, slots=True)
class Posted:
    """The fate of a message, why it was not taken, and how long the receiver asks to wait (s)."""

    fate: Fate
    why: str = ""
    retry_after_s: float = 0.0
