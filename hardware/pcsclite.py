"""The calls of libpcsclite that name a reader, with the name in bytes.

pyscard makes all other calls. It cannot make these for a reader whose name is not ASCII: it raises SystemError or
UnicodeEncodeError. A name is whatever bytes the driver or `reader.conf` gives it. The library is loaded once a process,
so its contexts and card handles are pyscard's.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

# pcsclite.h: the readers that one SCardGetStatusChange takes, the pseudo reader of plugging included.
MOST_READERS = 16
PLUGGING = b"\\\\?PnP?\\Notification"

_ATR_BYTES = 33


class _ReaderState(ctypes.Structure):
    """SCARD_READERSTATE (winscard.h)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("user_data", ctypes.c_void_p),
        ("current", ctypes.c_ulong),
        ("event", ctypes.c_ulong),
        ("atr_size", ctypes.c_ulong),
        ("atr", ctypes.c_ubyte * _ATR_BYTES),
    )


@dataclass(frozen=True, slots=True)
class ReaderEvent:
    """A reader's event state, with the event counter in its upper half, and the ATR of its card."""

    name: bytes
    state: int
    atr: bytes


class PcscLite:
    """The library. Raises OSError where it is not installed. Each call returns a PC/SC result code first."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libpcsclite.so.1")
        for name in ("SCardListReaders", "SCardGetStatusChange", "SCardConnect"):
            getattr(self._library, name).restype = ctypes.c_ulong

    def list_readers(self, context: int) -> tuple[int, list[bytes]]:
        """The names of all attached readers."""
        size = ctypes.c_ulong(0)
        handle = ctypes.c_long(context)
        result = self._library.SCardListReaders(handle, None, None, ctypes.byref(size))
        if result:
            return _code(result), []
        names = ctypes.create_string_buffer(size.value)
        result = self._library.SCardListReaders(handle, None, names, ctypes.byref(size))
        return _code(result), [name for name in names.raw[: size.value].split(b"\0") if name]

    def wait(self, context: int, timeout_ms: int, known: Sequence[tuple[bytes, int]]) -> tuple[int, list[ReaderEvent]]:
        """Waits until a reader is not in the state that is known of it. At most MOST_READERS of them."""
        states = (_ReaderState * len(known))(*[_ReaderState(name, None, state) for name, state in known])
        result = self._library.SCardGetStatusChange(
            ctypes.c_long(context), ctypes.c_ulong(timeout_ms), states, ctypes.c_ulong(len(known))
        )
        return _code(result), [
            ReaderEvent(name, one.event, bytes(one.atr[: min(one.atr_size, _ATR_BYTES)]))
            for (name, _), one in zip(known, states, strict=True)
        ]

    def connect(self, context: int, name: bytes, share: int, protocols: int) -> tuple[int, int, int]:
        """Connects to the card in a reader: its handle and the protocol that it speaks."""
        card, protocol = ctypes.c_long(0), ctypes.c_ulong(0)
        result = self._library.SCardConnect(
            ctypes.c_long(context),
            name,
            ctypes.c_ulong(share),
            ctypes.c_ulong(protocols),
            ctypes.byref(card),
            ctypes.byref(protocol),
        )
        return _code(result), card.value, protocol.value


def printable(name: bytes) -> str:
    """A reader's name for people: bytes that are not UTF-8 and signs that are not printed stand as escapes."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _code(result: int) -> int:
    """A result code as pyscard has it: 32 bits without a sign."""
    return result & 0xFFFFFFFF
