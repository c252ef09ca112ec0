"""Which version of the protocol a kiosk uses with its centre: the highest that both ends speak."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sync.protocol import SUPPORTED_VERSIONS


@dataclass(slots=True)
class Negotiation:
    """The `version` of the next call. It begins with the highest of `supported`, the versions that this end speaks."""

    supported: frozenset[int] = SUPPORTED_VERSIONS
    version: int = field(init=False)

    def __post_init__(self) -> None:
        """Raises ValueError where `supported` is empty."""
        self.version = max(self.supported)

    def learn(self, versions: Collection[int]) -> None:
        """Takes the highest version that the centre speaks too. Where both ends share none, the next call tries the
        highest of this end again, since either end may have been updated."""
        self.version = max(self.supported.intersection(versions) or self.supported)

    def refused(self, versions: Collection[int]) -> bool:
        """Learns from a centre that refuses this version and speaks `versions`. Returns whether to call again at once.

        Only a lower version is tried at once: a centre that contradicts itself is then not called without end.
        """
        tried = self.version
        self.learn(versions)
        return self.version < tried

    def explain(self, versions: Collection[int]) -> str:
        """Why no call gets through, for the person who looks after the kiosk."""
        return f"the centre speaks protocol versions {_listed(versions)}, this kiosk {_listed(self.supported)}"


def _listed(versions: Collection[int]) -> str:
    return ", ".join(str(version) for version in sorted(versions)) or "unknown"
