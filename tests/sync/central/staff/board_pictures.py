"""Takes the pictures of docs/board.md: `python -m tests.sync.central.staff.board_pictures docs/screens`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from sync.ids import new_id
from tests.components import chromium
from tests.kiosk.ui.browser import running
from tests.sync.central.centre import DAY, ZONE, Centre
from tests.sync.central.online import API, Online
from tests.sync.central.staff.ward import TO_WAITING, Board, board

NAMES = (
    "김민준",
    "이서연",
    "박지훈",
    "최수아",
    "정도윤",
    "강하은",
    "조예준",
    "윤지우",
    "장시우",
    "임서윤",
    "한주원",
    "오하윤",
    "서지호",
    "신민서",
    "권준서",
    "황채원",
    "안건우",
    "송다은",
)
MINUTE_MS = 60_000


def hospital() -> dict[str, Any]:
    """A hospital of invented people, each with a booking for an ultrasound of the heart."""
    people = list(enumerate(NAMES, start=1))
    return {
        "site": {"name": "한빛병원", "desk": "desk", "timezone": ZONE},
        "exams": [
            {"exam_id": "desk", "title": "접수", "public_label": "접수", "room": "접수 창구"},
            {"exam_id": "echo", "title": "심장초음파", "public_label": "초음파 검사", "room": "3번 방", "minutes": 10},
            {"exam_id": "xray", "title": "흉부 X선", "public_label": "영상 검사", "room": "5번 방", "minutes": 5},
        ],
        "patients": [
            {"patient_id": f"1000{n:02d}", "name": name, "birth_date": f"19{40 + 2 * n}-0{1 + n % 9}-{10 + n}"}
            for n, name in people
        ],
        "appointments": [
            {
                "appointment_id": f"booking {n}",
                "patient_id": f"1000{n:02d}",
                "exam_id": "echo",
                "scheduled_at": f"{DAY}T{9 + n // 6:02d}:{n % 6}0",
            }
            for n, _ in people
        ],
    }


def take(folder: Path) -> list[Path]:
    """Writes one picture for each language. Returns the paths."""
    with tempfile.TemporaryDirectory() as place, running(chromium()) as browser:
        online = Online(Path(place), centre=ward(Path(place)))
        taken = []
        for language, locale in (("ko", "ko-KR"), ("en", "en-US")):
            with board(browser, online, name="김미정", room="2번 방", exams=("echo",), locale=locale) as screen:
                _play(online, screen)
                taken.append(folder / f"board-{language}.png")
                screen.page.screenshot(path=taken[-1])
        online.close()
    return taken


def ward(place: Path) -> Centre:
    """A centre where all of them wait for the ultrasound."""
    centre = Centre(place, filled=False)
    centre.take(hospital())
    for n, _ in enumerate(NAMES, start=1):
        centre.walk(f"1000{n:02d}", *TO_WAITING)
        centre.clock.now_ms += 2 * MINUTE_MS
    return centre


def _play(online: Online, screen: Board) -> None:
    """A called patient, one in the exam, one who did not come, one who is delayed."""
    if online.centre.state("100001")["journey_state"] == "WAITING":
        for patient_id, room in (("100001", "1번 방"), ("100002", "2번 방"), ("100003", "2번 방")):
            online.act(online.staff, "call_patient", patient_id=patient_id, room=room)
            online.centre.clock.now_ms += MINUTE_MS
        online.act(online.staff, "start_exam", patient_id="100001")
        online.act(online.staff, "mark_no_show", patient_id="100003")
        _press(online, "100006", "priority", kind="elderly")
        _press(online, "100007", "priority", kind="emergency", reason="가슴 통증")
        _press(online, "100009", "note", text="휠체어, 보호자 동반")
        _change(online, "100008", "delayed")
    screen.choose("100004")
    screen.is_next("C-007")


def _entry(online: Online, patient_id: str) -> str:
    return str(online.centre.state(patient_id)["queue_details"][0]["queue_id"])


def _press(online: Online, patient_id: str, what: str, **members: str) -> None:
    path = f"{API}/queue/{_entry(online, patient_id)}/{what}/"
    assert online.call("POST", path, online.staff, json={"action_id": new_id(), **members}).ok


def _change(online: Online, patient_id: str, state: str) -> None:
    body = {"action_id": new_id(), "state": state}
    assert online.call("PATCH", f"{API}/queue/{_entry(online, patient_id)}/", online.staff, json=body).ok


if __name__ == "__main__":
    for path in take(Path(sys.argv[1])):
        print(f"{path}: {path.stat().st_size // 1024} kB")
