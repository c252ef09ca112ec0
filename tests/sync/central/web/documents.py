"""The documents of the interface as files, for those who read them on the forge.

    python -m tests.sync.central.web.documents

writes docs/openapi.json and docs/asyncapi.json again after an endpoint or a message has changed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sync.central.opening import open_centre
from sync.central.web.app import create_app
from sync.central.web.asyncapi import asyncapi_document
from sync.central.web.socket_places import SocketPlaces

DOCS = Path(__file__).parents[4] / "docs"


def documents() -> Mapping[Path, str]:
    """The content of each file, as a centre serves it."""
    with tempfile.TemporaryDirectory() as directory:
        centre = open_centre(f"sqlite:///{directory}/centre.db")
        try:
            answer = create_app(centre, SocketPlaces(1)).test_client().get("/api/v1/openapi.json")
            openapi = json.loads(answer.data)
        finally:
            centre.store.close()
    return {DOCS / "openapi.json": _text(openapi), DOCS / "asyncapi.json": _text(asyncapi_document())}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for file, text in documents().items():
        file.write_text(text, "utf-8")
