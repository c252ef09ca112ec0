"""What a use case tells, with the patients whose data it holds. The door alone (`door.py`) lets it leave the centre."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from sync.central.records.audit_kinds import AuditKind
from sync.central.records.site import SiteDay


class Told(msgspec.Struct, frozen=True):
    """A value that msgspec can encode, the present ids of the patients whom it tells of, and the kind of the look.

    `day` is the site's day of now, where the use case has read it. `members` are the last members of the value as JSON,
    with the bracket that ends it, where many are told the same.
    """

    value: object
    kind: AuditKind
    patients: tuple[str, ...]
    day: SiteDay | None = None
    members: bytes = b""

    def within(self, wrap: Callable[[object], object]) -> "Told":
        """These patients and this kind, with the value inside another one, such as a message of a socket."""
        return replace(self, value=wrap(self.value))


class AboutNobody(msgspec.Struct, frozen=True):
    """A value that holds no patient's data, such as a setting of the site. To say so is a claim that tests hold."""

    value: object


Telling = Told | AboutNobody


def told_of(value: object, kind: AuditKind, patients: Sequence[str]) -> Told:
    """What is told of these patients, each of whom may be named several times."""
    return Told(value, kind, tuple(dict.fromkeys(patients)))
