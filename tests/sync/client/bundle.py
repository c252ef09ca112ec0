"""Bundles a page of the tests with React and the client library, as an app's own build does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sync.client import modules
from tests.components import npm_packages

_PAGES = Path(__file__).with_name("pages")


def bundle(name: str) -> bytes:
    """The script of a page of `pages/`, for development, so that React warns of misuse."""
    library = modules()
    done = subprocess.run(
        [
            npm_packages() / ".bin/esbuild",
            _PAGES / f"{name}.jsx",
            "--bundle",
            "--format=esm",
            "--jsx=automatic",
            "--define:process.env.NODE_ENV='development'",
            "--log-level=warning",
            f"--alias:nfc-kiosk-client={library['journey.js']}",
            f"--alias:nfc-kiosk-client/react={library['react.js']}",
        ],
        env={**os.environ, "NODE_PATH": str(npm_packages())},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
