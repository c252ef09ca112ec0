"""How many verdicts one transaction takes: as many as this machine's disk writes in a short time."""

from sync.protocol import MAX_BATCH

VERDICTS_AT_FIRST = 10  # about as long as a tap, on any disk
PORTION_MS = 20  # of a transaction with verdicts, its commit included: a tap waits for one of them at most


def next_portion(at_once: int, verdicts: int, took_ms: int) -> int:
    """How many verdicts the next transaction takes, after one with `verdicts` of at most `at_once` that took so long.

    The number doubles where there is time for that, and shrinks at once where a transaction took too long.
    """
    if took_ms > PORTION_MS:
        return max(VERDICTS_AT_FIRST, verdicts * PORTION_MS // took_ms)
    return min(2 * at_once, MAX_BATCH) if verdicts == at_once and 2 * took_ms <= PORTION_MS else at_once
