"""The kiosks of a chain of hospitals, in one process that takes little of the machine.

The process takes one command a line. It answers each with a line of JSON:

    snapshot NUMBER          so many kiosks pull the whole roster at once; answers the seconds, rows, pages and
                             bytes of each
    wait NUMBER ADDRESSES    so many kiosks, of so many addresses, pull from the end of that roster; answers the seconds
                             until the centre has answered the first call of each
    all PATIENT              answers once each kiosk has a row of the patient
    told                     the pages since then: the patients of each, and who got it when (see `Told`)

python -m tests.bench.chain_kiosks HOST PORT KIOSKS-FILE
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from tests.bench.pulling import Hall, Kiosk, Place

_ROWS = b'"patients":['  # the rows, and what follows them, are the same bytes for all who ask for the same
_NO_ROW = b'"patients":[]'
_NOW = re.compile(rb'"now_ms":(\d+)')
_PATIENT = re.compile(rb'"patient_id":"([^"]+)","masked_name"')


class Told:
    """What the kiosks were told.

    `answers` has, for each page that a kiosk got, the number of the kiosk and of the page, the centre's time of the
    answer and the time at which it came (UTC ms).
    """

    def __init__(self, kiosk_ids: list[str]) -> None:
        self._numbers = {kiosk_id: number for number, kiosk_id in enumerate(kiosk_ids)}
        self.clear()

    def clear(self) -> None:
        """Forgets all."""
        self.pages: dict[bytes, int] = {}
        self.patients: list[list[str]] = []
        self.answers: list[tuple[int, int, int, float]] = []
        self.sizes: defaultdict[str, list[int]] = defaultdict(list)  # of all pages of a kiosk, in bytes
        self.is_counting = False
        self.had: Counter[str] = Counter()  # how many kiosks have a patient

    def take(self, kiosk: Kiosk, body: bytes) -> None:
        """Notes a page."""
        now_ms = time.time() * 1000
        if self.is_counting:
            self.sizes[kiosk.kiosk_id].append(len(body))
            return
        begin = body.index(_ROWS)
        rows = body[begin:]
        if rows.startswith(_NO_ROW):
            return
        page = self.pages.get(rows)
        if page is None:
            page = self.pages[rows] = len(self.patients)
            self.patients.append([found.decode() for found in _PATIENT.findall(rows)])
        at = _NOW.search(body, 0, begin)
        assert at is not None
        self.answers.append((self._numbers[kiosk.kiosk_id], page, int(at[1]), now_ms))
        self.had.update(self.patients[page])


async def snapshot(hall: Hall, told: Told, number: int) -> tuple[Place, list[list[float]]]:
    """The place after the roster, and the seconds, rows, pages and bytes until each of so many kiosks has all of it."""
    await hall.clear()
    told.is_counting = True
    began_s = time.monotonic()

    async def whole(each: int) -> list[float]:
        kiosk = await hall.connect(each)
        await kiosk.is_current.wait()
        sizes = told.sizes[kiosk.kiosk_id]
        return [time.monotonic() - began_s, kiosk.rows, len(sizes), sum(sizes)]

    taken = await asyncio.gather(*(whole(each) for each in range(number)))
    place = hall.present[0].place
    await hall.clear()
    told.clear()
    return Place(place.cursor, "", place.incarnation), list(taken)


async def wait(hall: Hall, place: Place, number: int, addresses: int) -> float:
    """Has so many kiosks wait for what follows a place. Returns the seconds until each has its first answer."""
    await hall.clear()
    began_s = time.monotonic()

    async def come(each: int) -> None:
        kiosk = await hall.connect(each, place, f"127.0.1.{1 + each % addresses}")
        await kiosk.is_current.wait()

    await asyncio.gather(*(come(each) for each in range(number)))
    return time.monotonic() - began_s


async def await_all(hall: Hall, told: Told, patient_id: str) -> bool:
    """Waits until each kiosk has a patient."""
    while told.had[patient_id] < len(hall.present):
        await asyncio.sleep(0.01)
    return True


async def serve(hall: Hall, told: Told) -> None:
    """Follows the commands of the input."""
    place = Place()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *words = line.split()
        answer: object = None
        if command == "snapshot":
            place, answer = await snapshot(hall, told, int(words[0]))
        elif command == "wait":
            answer = await wait(hall, place, int(words[0]), int(words[1]))
        elif command == "all":
            answer = await await_all(hall, told, words[0])
        elif command == "told":
            answer = {"pages": told.patients, "answers": told.answers}
            told.clear()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    document = json.loads(Path(sys.argv[3]).read_text("utf-8"))
    files = len(document["kiosks"]) + 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    noted = Told([kiosk_id for kiosk_id, _ in document["kiosks"]])
    asyncio.run(serve(Hall(sys.argv[1], int(sys.argv[2]), document, noted.take), noted))
