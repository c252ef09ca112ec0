"""The code of an enrolment, as somebody types it.

An argument of a command is in the shell's history, and every process of the machine can read it while the command runs.
"""

import sys

import click

_MAX_BYTES = 200


class NoCode(ValueError):
    """No code was given that can be sent. The message says what is wrong, for the person at the command line."""


def read_code(given: str | None) -> str:
    """Returns the code that was given, or else asks for it: at a terminal, or from standard input. Raises NoCode."""
    code = (_ask() if given is None else given).strip()
    if not code:
        raise NoCode("no code was given: type it when asked, send it to the standard input, or use --code")
    # A byte that is no UTF-8 comes as a lone surrogate, which cannot be sent.
    if not code.isprintable():
        raise NoCode("the code may hold printable characters only")
    return code


def _ask() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Code", err=True, default="", show_default=False))
    return sys.stdin.buffer.readline(_MAX_BYTES).decode("utf-8", "surrogateescape")
