"""A breakage of the protocol on purpose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One breakage: its file, the text there, the replacement, and the number of schedules that must catch it.

    `nights`: the schedules are those of a hospital whose desk is open around the clock. `lied_to`: a kiosk
    lies in all of them.
    """

    name: str
    file: str
    text: str
    instead: str
    within: int
    nights: bool = False
    lied_to: bool = False
