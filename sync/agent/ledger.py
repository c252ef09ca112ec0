"""What the agent needs of the kiosk's store: the only way from the wire to the database."""

from collections.abc import Collection, Sequence
from typing import Protocol

from sync.clock import ClockReading
from sync.journey.model import PatientId
from sync.protocol import Backlog, PullAnswer, Pushed, Site, VerdictRow


class KioskState(Protocol):
    """The kiosk's identity, and how far it has followed the centre."""

    @property
    def site_id(self) -> str: ...
    @property
    def kiosk_id(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def cursor(self) -> int: ...
    @property
    def cursor_mac(self) -> str: ...
    @property
    def server_incarnation(self) -> str: ...
    @property
    def definitions_version(self) -> int: ...
    @property
    def site(self) -> Site: ...
    @property
    def ended_ms(self) -> int | None: ...


class Ledger(Protocol):
    """The kiosk's outbox and roster, as the agent uses them. Each method that writes is one transaction."""

    @property
    def identity(self) -> KioskState | None:
        """The kiosk's identity; None before enrolment."""
        ...

    def clock(self) -> ClockReading:
        """The present reading of this machine's clocks."""
        ...

    def batch(self, limit: int, expected_seq: int | None) -> list[Pushed]:
        """The next actions to push, at most `limit`, from `expected_seq` or from the first pending action. A record
        that cannot be read is sent as an unread record.
        """
        ...

    def unread(self, expected_seq: int | None) -> Pushed | None:
        """The first action of the next batch as an unread record; None where there is no action."""
        ...

    def has_pending(self) -> bool:
        """Whether any action of the chain waits for its verdict."""
        ...

    def chain_end(self, epoch: int) -> tuple[int, str]:
        """Seq and hash of the chain's last action, with or without a verdict.

        They are 0 and `NO_HASH` for none, and where the epoch is another.
        """
        ...

    def card_key_id(self) -> str:
        """The id of the kiosk's newest card key; empty where there is none."""
        ...

    def backlog(self) -> Backlog | None:
        """All actions that wait for a verdict, the parked ones included; None where none waits."""
        ...

    def park(self, action_id: str, epoch: int) -> int:
        """Takes an action of that epoch out of the chain, with its patient's later ones. Returns their number."""
        ...

    def parked(self) -> list[Pushed]:
        """The first parked action of each patient, as an unread record."""
        ...

    def unpark(self, action_id: str) -> None:
        """Puts a parked action and its patient's others at the end of the chain, since the network lets it pass."""
        ...

    def retire(
        self,
        verdicts: Sequence[VerdictRow],
        backed_up_seq: int = 0,
        *,
        epoch: int | None = None,
        incarnations: Collection[str] = (),
        site_id: str | None = None,
    ) -> frozenset[PatientId]:
        """Retires the rows of these verdicts. Returns the patients whose journeys may look different now.

        `epoch` is the epoch of the push. `backed_up_seq` is the last action of that epoch that the centre's backups
        hold. `incarnations` are the incarnation that the kiosk knew at the push, and the one that answered. If the
        kiosk knows a third incarnation now, the centre was restored during the push. Its earlier verdicts do not count.
        Those of another site than the kiosk's present one (`site_id`) do not count either.
        """
        ...

    def answered_seq(self) -> int:
        """The last seq of the present epoch that has a verdict since the start of the program; 0 where none has."""
        ...

    def pull_from_beginning(self, cursor: int) -> None:
        """Pulls a snapshot next, where the kiosk still has this cursor, which the centre refuses."""
        ...

    def adopt(
        self, page: PullAnswer, *, epoch: int | None = None, answered_seq: int = 0
    ) -> frozenset[PatientId] | None:
        """Takes over a page. Returns the patients whose journeys may look different now; None where the page does not
        continue what the kiosk has.

        `epoch` is the kiosk's epoch at the request, and `answered_seq` the last of its actions that had a verdict then.
        """
        ...

    def end(self, site_id: str | None = None) -> frozenset[PatientId]:
        """Forgets all patients, because the centre of this site has revoked this kiosk's token. Pending actions stay.
        Returns the forgotten patients."""
        ...

    def start_epoch(self, epoch: int, site_id: str | None = None) -> None:
        """Renumbers the pending actions under a new epoch, which the centre of this site has named."""
        ...
