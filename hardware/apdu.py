"""Questions to a card: asked again where only their length was wrong (ISO 7816-4, 5.1.3), and for so long at most."""

import time
from collections.abc import Callable

from hardware.card import Transmit

_WRONG_LE, _MORE = 0x6C, 0x61
_GET_RESPONSE = bytes.fromhex("00C00000")
# A sane answer comes in a few pieces. A card that always has more to say is not listened to for ever.
_MOST_PIECES = 8
# The longest time of a dialogue. A phone takes some tenths of a second for each question.
DIALOGUE_S = 3.0


def with_right_length(transmit: Transmit) -> Transmit:
    """Returns a `transmit` that gives whole answers.

    It sends a command again with the length that 6Cxx names, and fetches the rest that 61xx announces.
    """

    def whole(command: bytes) -> bytes | None:
        answer = transmit(command)
        if answer is not None and len(answer) == 2 and answer[0] == _WRONG_LE:
            answer = transmit(command[:-1] + answer[1:])
        data = b""
        for _ in range(_MOST_PIECES):
            if answer is None or len(answer) < 2 or answer[-2] != _MORE:
                break
            data += answer[:-2]
            answer = transmit(_GET_RESPONSE + answer[-1:])
        return None if answer is None else data + answer

    return whole


def in_time(transmit: Transmit, until_s: float, monotonic: Callable[[], float] = time.monotonic) -> Transmit:
    """Returns a `transmit` that asks the card nothing after `until_s` (monotonic): the card counts as silent then.

    A card that answers slowly, and always has more to say, would keep its holder waiting for long.
    """
    return lambda command: transmit(command) if monotonic() < until_s else None
