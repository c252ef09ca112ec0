"""An authority, and the two files that a centre is given."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.authority import Authority, Signed


class Files:
    """The certificate and the key that a centre is told to read."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory / "ca")
        self.certificate = directory / "checkin.pem"
        self.key = directory / "checkin.key"
        self.put(self.authority.server("localhost", "127.0.0.1"))

    def put(self, signed: Signed) -> None:
        """Replaces both files as certbot does: each at once, one after the other."""
        for source, place in ((signed.chain, self.certificate), (signed.key, self.key)):
            new = place.with_suffix(".new")
            shutil.copy(source, new)
            new.chmod(0o600)
            os.replace(new, place)

    def write(self, text: str) -> None:
        """Replaces the certificate by any text."""
        new = self.certificate.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.certificate)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)
