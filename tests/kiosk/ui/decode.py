"""Reads a QR code as a telephone does."""

from __future__ import annotations

import re
from io import BytesIO

import zxingcpp
from PIL import Image, ImageOps

from sync.visit_code import VisitCode

_MARGIN = 4  # modules


def decoded(png: bytes) -> str | None:
    """The text of the QR code in a picture; None without one."""
    return _read(Image.open(BytesIO(png)).convert("L"))


def text_of(code: VisitCode) -> str | None:
    """The text of a code whose path is filled."""
    picture = Image.new("L", (code.size, code.size), 255)
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", code.path):
        picture.putpixel((int(x), int(y)), 0)
    whole = ImageOps.expand(picture, _MARGIN, 255)
    return _read(whole.resize((whole.width * 8, whole.height * 8), Image.Resampling.NEAREST))


def _read(picture: Image.Image) -> str | None:
    found = zxingcpp.read_barcode(picture, zxingcpp.BarcodeFormat.QRCode)
    return found.text if found else None
