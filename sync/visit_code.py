"""The QR code (ISO/IEC 18004) with which a telephone opens the visit, as a path for the page to draw."""

from msgspec import Struct

_MASK = 3  # of eight; to try all of them takes six times as long, and a secret is random enough under any


class VisitCode(Struct, frozen=True):
    """A QR code: `size` modules wide and high, without its margin, and the dark ones as the path of an SVG."""

    size: int
    path: str


def draw_visit_code(public_url: str, secret: str) -> VisitCode:
    """Returns the code of the page of a visit. The secret stands after the `#`, which a browser sends to nobody."""
    # Imported here: a kiosk that shows no codes saves the memory.
    import segno

    code = segno.make(
        f"{public_url.rstrip('/')}/visit/#{secret}", error="m", boost_error=False, micro=False, mask=_MASK
    )
    rows = enumerate(code.matrix)
    dark = (f"M{x} {y}h1v1h-1z" for y, row in rows for x, module in enumerate(row) if module)
    return VisitCode(len(code.matrix), "".join(dark))
