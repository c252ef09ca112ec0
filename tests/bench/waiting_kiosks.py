"""Many kiosks in one cheap process, which hear of marked patients.

The process takes one command a line. It answers each with a line of JSON:

    wait NUMBER      so many kiosks pull from now on; the answer comes when all of them wait for news
    begin NUMBER     so many kiosks pull a snapshot; answers the seconds until each has all of it, and its rows
    heard            for each marked patient the times (monotonic clock, seconds) at which kiosks got it

python -m tests.bench.waiting_kiosks HOST PORT KIOSKS-FILE
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from pathlib import Path

from tests.bench.pulling import Hall, Kiosk

MARK = b"mark-"  # how the ids of marked patients begin
_MARKED = re.compile(rb'"patient_id":"(mark-\d+)","masked_name"')


class Heard:
    """When each kiosk got each marked patient (monotonic clock, seconds)."""

    def __init__(self) -> None:
        self.at_s: defaultdict[str, dict[str, float]] = defaultdict(dict)

    def take(self, kiosk: Kiosk, body: bytes) -> None:
        """Notes the marked patients of a page."""
        now_s = time.monotonic()
        for marked in _MARKED.finditer(body) if MARK in body else ():  # a plain search is six times as fast
            self.at_s[marked[1].decode()].setdefault(kiosk.kiosk_id, now_s)


async def wait(hall: Hall, number: int) -> int:
    """Has so many kiosks wait."""
    await hall.clear()
    for each in range(number):
        kiosk = await hall.connect(each)
        await kiosk.is_current.wait()
    return number


async def begin(hall: Hall, number: int) -> list[list[float]]:
    """The seconds until each of so many kiosks has the whole roster, and its rows."""
    await hall.clear()
    began_s = time.monotonic()

    async def whole(each: int) -> list[float]:
        kiosk = await hall.connect(each)
        await kiosk.is_current.wait()
        return [time.monotonic() - began_s, kiosk.rows]

    return await asyncio.gather(*(whole(each) for each in range(number)))


async def serve(hall: Hall, heard: Heard) -> None:
    """Follows the commands of the input."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *number = line.split()
        if command == "heard":
            answer: object = {name: list(times.values()) for name, times in heard.at_s.items()}
            heard.at_s.clear()
        elif command == "wait":
            answer = await wait(hall, int(number[0]))
        else:
            answer = await begin(hall, int(number[0]))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    document = json.loads(Path(sys.argv[3]).read_text("utf-8"))
    noted = Heard()
    asyncio.run(serve(Hall(sys.argv[1], int(sys.argv[2]), document, noted.take), noted))
