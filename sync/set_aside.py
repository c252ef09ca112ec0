"""The file of actions that a kiosk sets aside for its site, and that the centre of the site takes in.

The file is JSON Lines in UTF-8: one line an action, in the order in which they were done, each with a checksum of its
own. So damage to one line loses that action alone. The file holds ids of patients and keyed hashes of cards, no names.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from sync.protocol import PriorVerdict, canonical

Number = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]  # each end can keep it


class SetAside(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One action, as the outbox of its kiosk held it.

    - `place`, `of`: its place in the file from 1, and the number of actions in the file.
    - `site_id`, `site`: the id and the name of the site at which it was done.
    - `kiosk_id`, `epoch`, `seq`, `hash`: its kiosk, and its place there in the hash chain. An epoch before 1 is one of
      an earlier id of the kiosk.
    - `body`, `digest`: Base64 (RFC 4648, 4) of the body as it lay on the disk, and the SHA-256 (hex) of the body as it
      was written there. Where they differ, the body was damaged.
    - `held`: the verdict that the kiosk has for it; None for a pending action.
    """

    place: Number
    of: Number
    site_id: str
    site: str
    kiosk_id: str
    epoch: Number
    seq: Number
    action_id: str
    body: str
    digest: str
    hash: str
    held: PriorVerdict | None = None


class _Line(msgspec.Struct, frozen=True):
    checksum: str
    action: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a file: its readable actions, and the places of the lost ones.

    `damaged_lines` are the numbers of the lines that cannot be read, from 1. `is_mixed`: the lines are those of more
    than one file, so the places say nothing about what is lost.
    """

    actions: tuple[SetAside, ...]
    lost: tuple[int, ...]
    damaged_lines: tuple[int, ...]
    is_mixed: bool = False


def line_of(action: SetAside) -> bytes:
    """The line of an action, with its end."""
    text = canonical(action)
    return msgspec.json.encode(_Line(_checksum(text), msgspec.Raw(text))) + b"\n"


def read_lines(lines: Iterable[bytes]) -> Contents:
    """Reads the lines of a file. A line that is damaged in any way counts as lost; empty lines do not count."""
    actions: dict[int, SetAside] = {}
    files: set[tuple[str, str, int]] = set()
    damaged, is_mixed = [], False
    for number, line in enumerate(lines, 1):
        action = _read(line)
        if action is not None:
            files.add((action.site_id, action.kiosk_id, action.of))
            is_mixed = is_mixed or actions.setdefault(action.place, action) != action
        elif line.strip():
            damaged.append(number)
    most = max((action.of for action in actions.values()), default=0)
    lost = tuple(place for place in range(1, most + 1) if place not in actions)
    in_order = tuple(actions[place] for place in sorted(actions))
    return Contents(in_order, lost, tuple(damaged), is_mixed or len(files) > 1)


def sites_of(actions: Sequence[SetAside]) -> dict[str, str]:
    """The names of the sites of these actions, by their ids."""
    return {action.site_id: action.site for action in actions}


def body_of(action: SetAside) -> tuple[bytes, bool]:
    """The body of an action, and whether it is as the kiosk wrote it."""
    try:
        body = base64.b64decode(action.body, validate=True)
    except ValueError:
        return action.body.encode(), False
    return body, hashlib.sha256(body).hexdigest() == action.digest


def _read(line: bytes) -> SetAside | None:
    try:
        found = msgspec.json.decode(line, type=_Line)
        if found.checksum != _checksum(bytes(found.action)):
            return None
        action = msgspec.json.decode(found.action, type=SetAside)
    except (ValueError, RecursionError):
        return None
    return action if 1 <= action.place <= action.of <= _MOST else None


def _checksum(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


_MOST = 10_000_000  # actions of a file: the list of the lost ones must stay small
