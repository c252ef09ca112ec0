"""The modules of the client library at the centre."""

from __future__ import annotations

import pytest

from sync.client import modules
from tests.sync.central.online import Online


@pytest.mark.parametrize("name", modules())
def test_each_module_of_the_library_is_served_as_a_script(online: Online, name: str):
    first = online.call("GET", f"/client/{name}")
    assert first.content == modules()[name].read_bytes()
    assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
    again = online.call("GET", f"/client/{name}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["none.js", "__init__.py", "package.json", "journey.d.ts", "..%2fids.py"])
def test_nothing_else_of_its_folder_is_served(online: Online, name: str):
    answer = online.call("GET", f"/client/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
