"""The books on what people were promised: which taps were acknowledged, and which of them must still be known."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field


@dataclass(slots=True)
class Books:
    """`owed` are the acknowledged actions that some disk still holds. One that a kiosk's disk lost when it was set back
    is owed as long as the centre has it (`only_at_centre`); a restore of the centre can then lose the last copy, which
    no protocol can prevent. `suspects` are kiosks whose disk was copied or set back: they may give a number twice. Of
    the `damaged` some disk holds what nobody wrote: they alone may go to staff unread, and are owed like any other."""

    owed: set[str] = field(default_factory=set)
    only_at_centre: set[str] = field(default_factory=set)
    gone: int = 0
    covered: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    forgettable: set[str] = field(default_factory=set)
    suspects: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)

    def acknowledge(self, action_ids: Iterable[str]) -> None:
        """A person was told that this was done."""
        self.owed |= set(action_ids)

    def disk_set_back(self, before: Set[str], after: Set[str], elsewhere: Set[str], at_centre: Set[str]) -> None:
        """A kiosk's disk was set back: these are the actions on it before and after, on other boxes' disks, and at the
        centre."""
        lost = (before - after - elsewhere) & self.owed
        self.only_at_centre |= lost & at_centre
        self._write_off(lost - at_centre)

    def centre_set_back(self, backup: str, at_centre: Set[str], on_disks: Set[str]) -> None:
        """The centre was restored from a backup, and knows these actions now. What another backup holds may be on no
        kiosk's disk any more, or may go from there with a page that is under way: of that, an older backup than the
        newest is the end."""
        elsewhere = frozenset[str]().union(*(actions for name, actions in self.covered if name != backup))
        self.forgettable |= elsewhere - at_centre
        self._write_off(self.only_at_centre - at_centre - on_disks)

    def close(self, at_centre: Set[str], on_disks: Set[str]) -> None:
        """Everything is at rest: what was not to be kept, and was not, is owed no more."""
        self._write_off((self.owed & self.forgettable) - at_centre - on_disks)

    def damage(self, action_id: str) -> None:
        """Some disk no longer holds this action as it was written."""
        self.damaged.add(action_id)

    def suspect(self, kiosk_id: str) -> None:
        """This kiosk's disk was copied or set back."""
        self.suspects.add(kiosk_id)

    def _write_off(self, lost: Set[str]) -> None:
        self.owed -= lost
        self.only_at_centre -= lost
        self.gone += len(lost)
