"""Puts a serial PN532 back to 115200 baud, the speed at which it is opened.

nfcpy opens the chip at that speed and then raises it. The chip keeps the new speed until it gets another or loses
power, so no other process can open it after the first one was killed.
"""

import time

import serial
from nfc.clf.pn532 import Chipset
from nfc.clf.transport import TTY

_RAISED = (921600, 460800, 230400)
_WAKE_UP = bytes(10)
# SetSerialBaudRate to 115200 (PN532 user manual, 7.2.9); the chip answers, and changes once the answer is acknowledged.
_COMMAND = bytes.fromhex("0000FF03FDD410041800")
_ANSWER_S = 0.02


def back_to_first_speed(path: str) -> bool:
    """Orders the chip at an nfcpy path back, at each speed that it may have. False when the path names no single line.

    Raises OSError when the line cannot be opened. A chip that is at the first speed already sees noise.
    """
    devices, driver, _ = TTY.find(path) or ([], "", False)
    if len(devices) != 1 or driver not in {"", "pn532"}:
        return False
    for speed in _RAISED:
        with serial.Serial(devices[0], speed, timeout=_ANSWER_S) as line:
            line.write(_WAKE_UP + _COMMAND)
            line.read(64)
            line.write(Chipset.ACK)
            line.flush()
            time.sleep(0.001)
    return True
