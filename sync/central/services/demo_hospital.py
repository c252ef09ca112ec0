"""The demo hospital: invented people, with bookings of a given day."""

from typing import Any

# (patient id, name, language, birth date, card uid, bookings as (time of day, exam id))
_PEOPLE: tuple[tuple[str, str, str, str, str, tuple[tuple[str, str], ...]], ...] = (
    ("D-1001", "가나다", "ko", "1958-03-02", "04a1b2c3d4e501", (("09:30", "blood"), ("10:30", "xray"))),
    ("D-1002", "홍길동", "ko", "1971-11-23", "04a1b2c3d4e502", (("09:40", "blood"),)),
    ("D-1003", "김보기", "ko", "1990-07-14", "04a1b2c3d4e503", (("10:00", "heart"),)),
    ("D-1004", "이예시", "ko", "1946-01-30", "04a1b2c3d4e504", (("10:20", "eyes"),)),
    ("D-1005", "Sample Visitor", "en", "1984-05-05", "04a1b2c3d4e505", (("11:00", "xray"),)),
    ("D-1006", "박견본", "ko", "2001-09-09", "04a1b2c3d4e506", (("13:30", "heart"),)),
    ("D-1007", "최모의", "ko", "1963-12-12", "04a1b2c3d4e507", (("14:10", "eyes"),)),
    ("D-1008", "정시험", "ko", "1979-04-18", "04a1b2c3d4e508", ()),
    ("D-1009", "남궁가상", "ko", "1952-08-27", "04a1b2c3d4e509", ()),
)

_EXAMS = (
    {"exam_id": "desk", "title": "원무 창구", "public_label": "접수 창구", "room": "1층 로비", "minutes": 4},
    {"exam_id": "blood", "title": "혈액 검사", "public_label": "채혈실", "room": "2층 3번", "minutes": 5},
    {"exam_id": "xray", "title": "흉부 X선 촬영", "public_label": "영상 검사", "room": "지하 1층 2번", "minutes": 8},
    {
        "exam_id": "heart",
        "title": "심장 초음파",
        "public_label": "초음파 검사",
        "room": "3층 5번",
        "minutes": 20,
        "order": "booking",
    },
    {"exam_id": "eyes", "title": "안저 검사", "public_label": "안과 검사", "room": "3층 8번", "minutes": 12},
)


def demo_hospital(day: str) -> dict[str, Any]:
    """The demo hospital as a document for `import`, with the bookings of a day of the site (ISO date)."""
    return {
        "site": {"name": "가상 병원", "desk": "desk", "timezone": "Asia/Seoul", "day_starts_at": "04:00"},
        "exams": list(_EXAMS),
        "patients": [
            {"patient_id": patient_id, "name": name, "language": language, "birth_date": born, "cards": [uid]}
            for patient_id, name, language, born, uid, _ in _PEOPLE
        ],
        "appointments": [
            {
                "appointment_id": f"{patient_id}-{day}-{exam_id}",
                "patient_id": patient_id,
                "exam_id": exam_id,
                "scheduled_at": f"{day}T{time_of_day}",
            }
            for patient_id, _, _, _, _, bookings in _PEOPLE
            for time_of_day, exam_id in bookings
        ],
    }


def demo_cards() -> dict[str, str]:
    """The card of each demo patient: patient id to UID in hex."""
    return {patient_id: uid for patient_id, _, _, _, uid, _ in _PEOPLE}
