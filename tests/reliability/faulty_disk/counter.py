"""A process on a watched disk. It serves people while one call after the other fails.

python -m tests.reliability.faulty_disk.counter DIRECTORY FAULTS < cases.json > results.json
"""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import msgspec

from tests.reliability.faulty_disk.people import PEOPLE, Kiosk
from tests.reliability.preload import Call, Faults


class Case(msgspec.Struct, frozen=True):
    """A way to fail: the `countdown`-th of these calls fails with the errno `error`, once or from then on."""

    calls: int
    countdown: int
    error: int
    lasting: bool = False
    halfway: bool = False


class Result(msgspec.Struct, frozen=True):
    """The result of a case: the calls of its kind (`seen`), those that failed (`struck`), the actions and starts that
    the kiosk refused, and what was `wrong`."""

    case: Case
    seen: int
    struck: int
    refused: int
    wrong: tuple[str, ...]


def main() -> None:
    directory, faults = Path(sys.argv[1]), Faults(Path(sys.argv[2]))
    logging.disable()
    Kiosk(directory / "template" / "kiosk.db").make()
    cases = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Case])
    results = [_run(directory, faults, case) for case in cases]
    sys.stdout.buffer.write(msgspec.json.encode(results))


def _run(directory: Path, faults: Faults, case: Case) -> Result:
    place = directory / "case"
    shutil.copytree(directory / "template", place)
    kiosk, seen, struck = Kiosk(place / "kiosk.db"), faults.seen, faults.struck
    faults.arm(Call(case.calls), case.countdown, case.error, lasting=case.lasting, halfway=case.halfway)
    try:
        _live(kiosk, faults)
    except Exception as error:  # noqa: BLE001 - any exception of the kiosk is a finding
        kiosk.wrong.append(f"it raised {type(error).__name__}: {error}")
    faults.clear()
    shutil.rmtree(place)
    return Result(case, faults.seen - seen, faults.struck - struck, kiosk.refused, tuple(kiosk.wrong))


def _live(kiosk: Kiosk, faults: Faults) -> None:
    """Starts, serves some people, starts again and serves the others. Then the disk works, and all of them come
    again.
    """
    for people in (range(PEOPLE // 2), range(PEOPLE // 2, PEOPLE)):
        if not kiosk.open():
            faults.clear()
            assert kiosk.open()
        for person in people:
            kiosk.serve(person)
        kiosk.store.close()
    if not kiosk.open():
        faults.clear()
        assert kiosk.open()
    kiosk.serve(0)
    faults.clear()
    kiosk.recovers()
    kiosk.look()
    kiosk.store.close()
    assert kiosk.open()
    kiosk.look()
    kiosk.store.close()


if __name__ == "__main__":
    main()
