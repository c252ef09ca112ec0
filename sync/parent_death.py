"""How a child process ends with its parent, by the kernel (Linux, PR_SET_PDEATHSIG in prctl(2)).

`hardware` does not import `sync`, so its reader processes have a function of their own for it.
"""

import ctypes
import os

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)  # loaded before any fork: in a forked child another thread may hold the loader's lock


def end_with_parent(signal_number: int, parent_pid: int) -> None:
    """Has the kernel send the signal to this process when the thread that started it ends.

    Sends the signal at once where the process `parent_pid` is no longer the parent.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal_number)
    # A parent that ended before the call above sends no signal.
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal_number)
