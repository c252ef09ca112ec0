"""The account of the acknowledged actions, and of those that a disk must still hold."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field


@dataclass(slots=True)
class Books:
    """The actions that the system owes to people.

    - `owed`: acknowledged actions that some disk still holds.
    - `only_at_centre`: owed actions that a kiosk's disk lost when it was set back. A restore of the centre can lose
      their last copy, which no protocol can prevent.
    - `gone`: the number of actions that were lost in such a way.
    - `covered`: each backup by name, with the actions in it.
    - `forgettable`: actions that a kiosk may have dropped, because a backup covered them.
    - `suspects`: kiosks whose disk was copied or set back. They may give a number twice.
    - `elsewhere`: actions that were done at the other hospital.
    - `set_aside`: actions in the files of kiosks that went there.
    - `damaged`: actions whose record was changed on a disk. Only these may go to staff unread; they are owed too.
    """

    owed: set[str] = field(default_factory=set)
    only_at_centre: set[str] = field(default_factory=set)
    gone: int = 0
    covered: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    forgettable: set[str] = field(default_factory=set)
    suspects: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    set_aside: set[str] = field(default_factory=set)

    def acknowledge(self, action_ids: Iterable[str]) -> None:
        """A kiosk has acknowledged these actions to a person."""
        self.owed |= set(action_ids)

    def disk_set_back(self, before: Set[str], after: Set[str], elsewhere: Set[str], at_centre: Set[str]) -> None:
        """A kiosk's disk was set back. The sets are the actions on the disk before and after, on other kiosks' disks,
        and at the centre."""
        lost = (before - after - elsewhere) & self.owed
        self.only_at_centre |= lost & at_centre
        self._write_off(lost - at_centre)

    def centre_set_back(self, backup: str, at_centre: Set[str], on_disks: Set[str]) -> None:
        """The centre was restored from a backup, and has the actions `at_centre` now.

        The kiosks may have dropped the actions of another backup, or may drop them with a page that is under way. A
        restore from an older backup than the newest loses them.
        """
        in_other_backups = frozenset[str]().union(*(actions for name, actions in self.covered if name != backup))
        self.forgettable |= in_other_backups - at_centre
        self._write_off(self.only_at_centre - at_centre - on_disks)

    def close(self, at_centre: Set[str], on_disks: Set[str]) -> None:
        """The world is at rest. A forgettable action that no end has is no longer owed."""
        self._write_off((self.owed & self.forgettable) - at_centre - on_disks)

    def damage(self, action_id: str) -> None:
        """The record of this action was changed on a disk."""
        self.damaged.add(action_id)

    def suspect(self, kiosk_id: str) -> None:
        """This kiosk's disk was copied or set back."""
        self.suspects.add(kiosk_id)

    def _write_off(self, lost: Set[str]) -> None:
        self.owed -= lost
        self.only_at_centre -= lost
        self.gone += len(lost)
