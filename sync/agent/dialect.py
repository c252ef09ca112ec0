"""Which version of the protocol a kiosk speaks: the newest that its centre speaks too."""

from dataclasses import dataclass

from sync.protocol import PROTOCOL_VERSION, SUPPORTED_VERSIONS, CallRefused


@dataclass(slots=True)
class Dialect:
    """The version of the next call. It begins with our newest."""

    version: int = PROTOCOL_VERSION

    def refused(self, refused: CallRefused) -> bool:
        """The centre does not speak this version: the next lower one that both speak is tried. False where there is
        none; the newest is tried again then, since either end may have been updated."""
        spoken = frozenset(refused.versions) or SUPPORTED_VERSIONS
        lower = [version for version in SUPPORTED_VERSIONS & spoken if version < self.version]
        self.version = max(lower, default=PROTOCOL_VERSION)
        return bool(lower)

    def heard(self, newest: int) -> None:
        """The centre speaks up to that version, as its answer says: an update of it is followed at once."""
        self.version = max(version for version in SUPPORTED_VERSIONS if version <= max(newest, self.version))
