"""Who asks: the sender of an action, and the one whom an answer is told."""

import msgspec

from sync.central.records.tokens import Bearer
from sync.journey.model import Actor


class Requester(msgspec.Struct, frozen=True):
    """The sender of a request. `who` is the sender's name in history and audit.

    `channel` is rest, websocket, desk (an operator's command, or a request of staff on cards, cases and records) or
    kiosk. `address` is the network address, None for a command. `expected` is the bearer of the sender's token as the
    database named them before, whom the action has to confirm; None for a sender who is confirmed.
    """

    actor: Actor
    who: str
    channel: str
    address: str | None = None
    expected: Bearer | None = None
