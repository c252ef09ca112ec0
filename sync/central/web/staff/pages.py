"""Which pages there are for staff, and whose duties open each."""

import msgspec

from sync.central.records.duties import Duty
from sync.words.text import N_

HOME = "/staff/"


class StaffPage(msgspec.Struct, frozen=True):
    """A page. Its name is that of its template, its script, its style and its catalog.

    `duties`: it is for persons who have one of them. `is_listed`: the navigation names it.
    """

    name: str
    title: str
    duties: frozenset[Duty]
    is_listed: bool = True

    @property
    def path(self) -> str:
        """The path of its URL."""
        return f"{HOME}{self.name}"


_WARD = frozenset({Duty.EXAM_ROOM, Duty.RECEPTION})
_DESK = frozenset({Duty.RECEPTION})
_OFFICE = frozenset({Duty.ADMINISTRATOR})

# In the order of the navigation. The first one that a person may open is their start page.
PAGES = (
    StaffPage("board", N_("Board"), _WARD),
    StaffPage("worklist", N_("Worklist"), _WARD),
    StaffPage("desk", N_("Card desk"), _DESK),
    StaffPage("inbox", N_("Exceptions"), _DESK),
    StaffPage("people", N_("People"), _OFFICE),
    StaffPage("log", N_("Access log"), _OFFICE),
)
