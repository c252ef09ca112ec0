"""The page in front of the real reception: after a card is bound to another patient, no data of the first is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.kiosk.reception_rig import ReceptionRig
from tests.kiosk.samples import uid
from tests.kiosk.ui.browser import Kiosk
from tests.kiosk.ui.conftest import serving

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-identity")]


def test_nothing_of_the_former_holder_is_left_when_the_card_turns_out_to_be_another_patients(
    tmp_path: Path, browser: Browser
):
    rig = ReceptionRig(tmp_path)
    with serving(rig.reception) as server:
        screen = Kiosk(browser, server.url).open()
        rig.tap(uid(1))
        screen.await_text("홍*동 님, 안녕하세요")
        screen.press("staff")
        rig.reception.update(rig.rebind(), online=True)
        screen.await_screen("attract")
        markup = screen.page.content()
        assert [trace for trace in ("홍*동", "P1", "영상 촬영") if trace in markup] == []
        assert not screen.button("next").is_visible()
        assert not screen.page.locator("#help[open]").is_visible()
        assert screen.complaints == []
        screen.close()
    rig.reception.stop()
    rig.store.close()
