"""Which programs use PC/SC, as far as this user may see: pcscd tells nobody who holds a card."""

import os
from pathlib import Path

_LIBRARY = b"/libpcsclite"
_PROC = Path("/proc")
FIND_ALL = "`grep -l libpcsclite /proc/[0-9]*/maps`"


def programs_with_pcsc() -> list[str]:
    """Name and process id of each other program that has loaded the library of PC/SC.

    Programs of other users are seen by root alone, and by nobody where systemd hides them from a service
    (`ProtectProc=invisible`). The kiosk's own processes are left out.
    """
    programs = []
    for process in _PROC.glob("[0-9]*"):
        try:
            if _LIBRARY in (process / "maps").read_bytes() and not _is_own(process):
                programs.append(f"{_name(process)} ({process.name})")
        except OSError:  # it has ended, or belongs to another user
            continue
    return programs


def _is_own(process: Path) -> bool:
    """Whether it is this process, or drives a reader for it (proc_pid_stat(5): the fourth field is the parent)."""
    parent = int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])
    drives_reader = b"hardware.child" in (process / "cmdline").read_bytes().split(b"\0")
    return int(process.name) == os.getpid() or (parent == os.getpid() and drives_reader)


def _name(process: Path) -> str:
    name = (process / "comm").read_bytes().decode("utf-8", "backslashreplace").rstrip("\n")
    return "".join(sign if sign.isprintable() else "?" for sign in name)
