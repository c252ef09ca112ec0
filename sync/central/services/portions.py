"""Long work on many rows, in short transactions: other writers come in between."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from sync.central.centre import Centre
from sync.central.store.errors import is_of_the_action
from sync.central.store.transactions import PORTION_S, WriteTransaction

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


class _Tried(Exception):
    """Undoes one item of a trial."""


def in_portions(
    centre: Centre,
    items: Sequence[T],
    act: Callable[[WriteTransaction, T], R],
    failed: R,
    *,
    trial: bool = False,
) -> list[R]:
    """Acts on each item, and returns the results in their order. An item that fails inside is undone, with the result
    `failed`.

    In a trial each item is undone, and only the results are left.
    """
    results: list[R] = []
    while len(results) < len(items):
        with centre.store.write() as db:
            until = time.monotonic() + PORTION_S
            results.append(_act(db, items[len(results)], act, failed, trial))
            while len(results) < len(items) and time.monotonic() < until:
                results.append(_act(db, items[len(results)], act, failed, trial))
    return results


def _act(db: WriteTransaction, item: T, act: Callable[[WriteTransaction, T], R], failed: R, trial: bool) -> R:
    try:
        return _tried(db, item, act, failed) if trial else _done(db, item, act)
    except Exception as error:
        if not is_of_the_action(error):
            raise
        # The text of the error could quote a row.
        log.error("one of many items failed: %s", type(error).__name__)  # noqa: TRY400
        return failed


def _done(db: WriteTransaction, item: T, act: Callable[[WriteTransaction, T], R]) -> R:
    with db.savepoint():
        return act(db, item)


def _tried(db: WriteTransaction, item: T, act: Callable[[WriteTransaction, T], R], failed: R) -> R:
    result = failed
    with contextlib.suppress(_Tried), db.savepoint():
        result = act(db, item)
        raise _Tried
    return result
