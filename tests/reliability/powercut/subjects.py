"""The two stores that are recorded, and how each is opened after a power cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiosk.store.sqlite import StoreError as KioskStoreError
from sync.central.store.errors import StoreError as CentreStoreError
from tests.reliability.powercut import centre_found, centre_walk, kiosk_found, kiosk_walk
from tests.reliability.powercut.examine import Found


@dataclass(frozen=True, slots=True)
class Subject:
    """A store: the module of the recorded process, the name of its file, how to open it, and the exception where that
    fails."""

    walk: str
    database: str
    opened: Callable[[Path], Found]
    refusal: type[Exception]


SUBJECTS = {
    "kiosk": Subject(kiosk_walk.__name__, kiosk_walk.DATABASE, kiosk_found.FoundKiosk, KioskStoreError),
    "centre": Subject(centre_walk.__name__, centre_walk.DATABASE, centre_found.FoundCentre, CentreStoreError),
}
