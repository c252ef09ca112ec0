"""Rows of the access log as lines of a CSV file (RFC 4180), which a spreadsheet may open: no cell is a formula."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

HEADER = ("at", "who", "kind", "patients", "from", "channel", "action_id", "detail", "block", "audit_id")
BEGIN = "\ufeff"  # a spreadsheet reads UTF-8 by it
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"＝＋－＠")  # East Asian sheets know wide signs too
_OWN_COLUMNS = ("from", "channel")


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as lines."""
    return "".join(_line(_cells(row)) for row in rows)


def csv_header() -> str:
    """The first line."""
    return BEGIN + _line(HEADER)


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    detail = {name: value for name, value in row["detail"].items() if name not in _OWN_COLUMNS}
    return (
        row["at"],
        row["who"],
        row["kind"],
        " ".join(row["patients"]),
        *(str(row["detail"].get(name) or "") for name in _OWN_COLUMNS),
        row["action_id"] or "",
        msgspec.json.encode(detail).decode() if detail else "",
        str(row["block"] or ""),
        row["audit_id"],
    )


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) for cell in cells])
    return out.getvalue()
