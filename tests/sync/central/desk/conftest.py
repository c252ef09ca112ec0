"""The card desk of a centre, and a kiosk."""

import pytest

from tests.sync.central.centre import Centre
from tests.sync.central.desk.asking import LEE, Desk, DeskKiosk


@pytest.fixture
def desk(centre: Centre) -> Desk:
    return Desk(centre)


@pytest.fixture
def other_desk(centre: Centre) -> Desk:
    return Desk(centre, LEE)


@pytest.fixture
def kiosk(centre: Centre) -> DeskKiosk:
    return DeskKiosk(centre)
