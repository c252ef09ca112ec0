"""What the agent needs of the kiosk's store: the one door between the wire and the database."""

from collections.abc import Collection, Sequence
from typing import Protocol

from sync.clock import ClockReading
from sync.journey.model import PatientId
from sync.protocol import PullAnswer, Pushed, VerdictRow


class KioskState(Protocol):
    """Who the kiosk is and how far it has come."""

    @property
    def kiosk_id(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def cursor(self) -> int: ...
    @property
    def server_incarnation(self) -> str: ...
    @property
    def definitions_version(self) -> int: ...


class Ledger(Protocol):
    """The kiosk's side of the books. Each method that writes is one transaction."""

    @property
    def identity(self) -> KioskState | None:
        """None before enrolment."""
        ...

    def clock(self) -> ClockReading:
        """This box's clocks, now."""
        ...

    def batch(self, limit: int, expected_seq: int | None, version: int) -> list[Pushed]:
        """The next actions to push, from the first pending one or from `expected_seq`, as that version of the protocol
        has them; unread what cannot be read any more."""
        ...

    def unread(self, expected_seq: int | None) -> Pushed | None:
        """The first of them as it lies on the disk, unread; None where there is none."""
        ...

    def has_pending(self) -> bool:
        """Whether any action waits for its verdict."""
        ...

    def settle(
        self,
        verdicts: Sequence[VerdictRow],
        backed_up_seq: int = 0,
        *,
        epoch: int | None = None,
        incarnations: Collection[str] = (),
    ) -> frozenset[PatientId]:
        """Retires the rows of these verdicts, which were given for that epoch. Returns whom it touched.

        `backed_up_seq` is the last of that epoch's actions that the centre's backups hold. `incarnations` are the one
        that the kiosk knew when it asked and the one that answered: where it has heard of yet another since, the centre
        was restored meanwhile, and its verdicts from before are worth nothing.
        """
        ...

    def answered_seq(self) -> int:
        """The last seq of the present epoch that the centre has answered for since the start; 0 where none."""
        ...

    def adopt(
        self, page: PullAnswer, *, epoch: int | None = None, answered_seq: int = 0
    ) -> frozenset[PatientId] | None:
        """Takes over a page; None where it is not for a kiosk that stands where this one does. It was asked for in that
        epoch, of which the centre had answered for the actions up to that one."""
        ...

    def fenced(self) -> frozenset[PatientId]:
        """The centre has ended this kiosk: forgets everybody, keeps what is pending. Returns whom it has forgotten."""
        ...

    def start_epoch(self, epoch: int) -> None:
        """Renumbers what is pending under a new epoch."""
        ...
