"""One reader in a process of its own: `python -m hardware.child KIND NAME PATH FORMS LEAVE…`.

A missing argument is empty. FORMS are the forms of cards that IT admits: `TECHNOLOGY:ATR`, parted by commas. LEAVE are
names of PC/SC readers that belong to other entries.

Lines go out on standard output and come in on standard input (see hardware/wire.py). The process ends when its input
does, and dies with its parent. It imports only what its own kind of reader needs, so that it starts fast.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Sequence
from queue import SimpleQueue

from hardware.card import Technology
from hardware.errors import place_of
from hardware.form import AdmittedForm
from hardware.reader import Reader
from hardware.wire import Command, Report, decode_command

# A copy of the value in sync/parent_death.py, since hardware imports nothing of sync. The end of standard input covers
# a parent that ended before the call.
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(kind: str, name: str, path: str, forms: str, *leave: str) -> None:
    """Drives the reader until the process is ended."""
    die_with_parent()
    # Ctrl-C goes to all processes of a terminal. The supervisor ends its readers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    report = Report(take_output())
    commands: SimpleQueue[Command] = SimpleQueue()
    try:
        reader = make_reader(kind, name, path, leave, commands, report, read_forms(forms))
        report.started()
        threading.Thread(target=obey, args=(reader, commands), name="commands", daemon=True).start()
        while True:
            reader.step()
            report.heartbeat()
    except Exception as error:  # noqa: BLE001 the edge of the process: its supervisor starts another
        report.crash(place_of(error))
        os._exit(1)


def read_forms(argument: str) -> tuple[AdmittedForm, ...]:
    """The admitted forms in an argument. Raises ValueError for any other argument."""
    parts = [form.partition(":") for form in argument.split(",") if form]
    return tuple(AdmittedForm(atr, Technology(technology)) for technology, _, atr in parts)


def make_reader(
    kind: str,
    name: str,
    path: str,
    leave: Sequence[str],
    commands: SimpleQueue[Command],
    report: Report,
    admitted: Sequence[AdmittedForm] = (),
) -> Reader:
    """The reader of this kind. Raises ImportError when its driver is not installed."""
    if kind == "simulated":
        from hardware.simulated import SimulatedReader

        return SimulatedReader(name or kind, commands, report)
    if kind == "nfcpy":
        from hardware.nfcpy_reader import NfcpyReader

        return NfcpyReader(path, name or path, report, admitted)
    from hardware.pcsc import PcscReader

    return PcscReader(name or None, report, leave, admitted=admitted)


def obey(reader: Reader, commands: SimpleQueue[Command]) -> None:
    """Takes commands from standard input, and ends the process at its end, even while the reader hangs in a call."""
    try:
        for line in sys.stdin.buffer:
            commands.put(decode_command(line))
        reader.close()
    finally:
        os._exit(0)


def die_with_parent() -> None:
    """Has the kernel kill this process when the thread that started it ends, however it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def take_output() -> int:
    """Reserves standard output for the lines: what a library prints goes to standard error."""
    lines = os.dup(1)
    os.dup2(2, 1)
    return lines


if __name__ == "__main__":
    main(*sys.argv[1:])
