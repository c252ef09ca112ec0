"""A site that does not accept UIDs of 4 bytes: the card is refused at the tap, and nothing of it is stored."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.front.screen import ScreenKind
from tests.kiosk import samples
from tests.kiosk.reception_rig import ReceptionRig

SHORT = "iso14443a:C0FFEE77"


def refuse(rig: ReceptionRig) -> None:
    """The next page brings the setting."""
    site = msgspec.structs.replace(samples.SITE, refuse_short_uids=True)
    identity = rig.journeys.identity
    assert identity is not None
    assert rig.ledger.adopt(samples.page(site=site, from_cursor=1, cursor=2)) is not None


def test_a_short_uid_is_refused_once_the_site_says_so_and_the_centre_is_not_asked(rig: ReceptionRig):
    assert rig.tap(SHORT).screen is ScreenKind.UNKNOWN_CARD
    asked = len(rig.asked)
    refuse(rig)
    refused = rig.tap(SHORT)
    assert (refused.screen, refused.reason, refused.patient) == (ScreenKind.REFUSED_CARD, "short_uid", None)
    assert len(rig.asked) == asked
    with rig.store.read() as db:
        rows = [tuple(row) for row in db.execute("select kind, detail from audit where kind = 'refused_tap'")]
    assert rows == [("refused_tap", "short_uid")]


@pytest.mark.parametrize("card", [samples.uid(1), "felica:0101010601B00ADE", "iso15693:E004010012345678"])
def test_a_longer_uid_and_another_technology_are_taken_as_before(rig: ReceptionRig, card: str):
    refuse(rig)
    assert rig.tap(card).screen is not ScreenKind.REFUSED_CARD
