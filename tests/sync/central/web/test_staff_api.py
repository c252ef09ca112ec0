"""The routes of staff tokens: the queue, cards, waiting cases, histories."""

import pytest

from sync.cards import canonical_tag
from sync.central.records.bindings import binding_of_card
from sync.ids import new_id
from tests.sync.central.centre import DAY
from tests.sync.central.online import API, Online

TO_WAITING = ("scan_nfc", "register", "confirm_arrival")


def waiting(online: Online, *, booked: bool = True) -> tuple[str, dict]:
    """A patient who waits, and their entry."""
    patient_id = online.newcomer(booked=booked)
    state = online.centre.walk(patient_id, *TO_WAITING)
    return patient_id, state["queue_details"][0]


def queue(online: Online, **query: str):
    return online.call("GET", f"{API}/queue/", online.staff, params=query)


def test_the_queue_lists_who_waits_in_their_order_without_their_names(online: Online):
    first, entry = waiting(online)
    second, _ = waiting(online)
    rows = [row for row in queue(online).json()["entries"] if row["patient_id"] in (first, second)]
    assert [row["patient_id"] for row in rows] == [first, second]
    assert rows[0]["queue_id"] == entry["queue_id"]
    assert (rows[0]["masked_name"][:2], rows[0]["journey_state"], rows[0]["opened_at"]) == (
        "환*",
        "WAITING",
        f"{DAY}T09:00:00+09:00",
    )
    assert "환자" not in queue(online).text


def test_the_queue_comes_in_pages(online: Online):
    for _ in range(2):
        waiting(online)
    whole = [row["queue_id"] for row in queue(online).json()["entries"]]
    pages = queue(online, limit="1").json()
    assert (len(pages["entries"]), pages["more"]) == (1, len(whole) - 1)
    following = queue(online, after=whole[0]).json()
    assert ([row["queue_id"] for row in following["entries"]], following["more"]) == (whole[1:], 0)
    by_body = online.call("POST", f"{API}/queue/search/", online.staff, json={"after": whole[0], "limit": 1})
    assert [row["queue_id"] for row in by_body.json()["entries"]] == whole[1:2]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 400),
        ("limit=501", 400),
        ("limit=x", 400),
        ("limit=", 400),
        ("limit=5&limit=6", 400),
        ("q=a&q=b", 400),
        ("after=x", 404),
    ],
)
def test_a_page_of_the_queue_that_makes_no_sense_is_refused(online: Online, query: str, status: int):
    assert online.call("GET", f"{API}/queue/?{query}", online.staff).status_code == status


def test_an_empty_text_in_a_query_limits_nothing(online: Online):
    waiting(online)
    assert queue(online, q="", state="", exam_id="", after="").json()["entries"] == queue(online).json()["entries"]


def test_a_look_at_the_queue_is_one_row_of_the_audit_however_often_it_is_repeated(online: Online):
    first, _ = waiting(online)
    second, _ = waiting(online)
    for _ in range(3):
        assert queue(online).ok
    looked = [row["detail"] for row in online.centre.rows("select detail from audit where kind = 'look:queue'")]
    assert len([detail for detail in looked if first in detail]) == 1
    assert len([detail for detail in looked if second in detail]) == 1


def test_the_queue_is_searched_by_exam_state_number_patient_and_name(online: Online):
    patient_id, entry = waiting(online, booked=False)
    name = online.centre.rows("select name from patients where patient_id = :id", id=patient_id)[0]["name"]

    def found(**query: str) -> list[str]:
        return [row["patient_id"] for row in queue(online, **query).json()["entries"]]

    assert patient_id in found(exam_id="desk")
    assert patient_id not in found(exam_id="blood")
    assert found(q=entry["queue_number"].lower()) == [patient_id]
    assert found(q=patient_id) == [patient_id]
    assert found(q="%") == []
    assert found(q=patient_id, state="called") == []
    assert found(q=name) == []  # no URL may hold a name
    by_name = online.call("POST", f"{API}/queue/search/", online.staff, json={"q": name})
    assert [row["patient_id"] for row in by_name.json()["entries"]] == [patient_id]


def test_an_entry_is_found_by_the_number_that_another_kiosk_printed(online: Online):
    patient_id, entry = waiting(online)
    with online.centre.store.write() as db:
        db.execute(
            "update entries set label_aliases = :aliases where queue_id = :queue_id",
            {"aliases": '["Q-042"]', "queue_id": entry["queue_id"]},
        )
    (row,) = queue(online, q="q-042").json()["entries"]
    assert (row["patient_id"], row["label_aliases"]) == (patient_id, ["Q-042"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"state": "gone"}, 400, "unknown_state"),
        ({"q": 7}, 400, "malformed"),
        ([], 400, "malformed"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(online: Online, body, status, code):
    answer = online.call("POST", f"{API}/queue/search/", online.staff, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert queue(online, state="gone").status_code == 400
    assert online.call("POST", f"{API}/queue/search/", online.staff, data="q").status_code == 415


def test_staff_change_an_entry_and_the_patient_moves(online: Online):
    patient_id, entry = waiting(online)
    path, action_id = f"{API}/queue/{entry['queue_id']}/", new_id()
    body = {"state": "called", "reason": "next one", "action_id": action_id}
    answer = online.call("PATCH", path, online.staff, json=body)
    assert (answer.status_code, answer.json()["journey_state"]) == (200, "CALLED")
    assert online.call("PATCH", path, online.staff, json=body).content == answer.content
    rows = online.centre.rows(
        "select reason from entry_history where queue_id = :id order by change", id=entry["queue_id"]
    )
    assert [row["reason"] for row in rows] == ["confirm_arrival", "next one"]
    assert online.state(online.own_token(patient_id)).json()["queue_details"][0]["state"] == "called"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([], 400, "malformed"),
        ({}, 400, "malformed"),
        ({"state": 3}, 400, "malformed"),
        ({"state": "called", "reason": 3}, 400, "malformed"),
        ({"state": "called", "reason": "x" * 501}, 400, "malformed"),
        ({"state": "called", "action_id": "no"}, 400, "invalid_action_id"),
        ({"state": "gone"}, 400, "not_allowed"),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(online: Online, body, status, code):
    _, entry = waiting(online)
    answer = online.call("PATCH", f"{API}/queue/{entry['queue_id']}/", online.staff, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    (row,) = online.centre.rows("select state from entries where queue_id = :id", id=entry["queue_id"])
    assert row["state"] == "waiting"


def test_a_change_of_no_entry_or_of_no_json(online: Online):
    path = f"{API}/queue/{new_id()}/"
    assert online.call("PATCH", path, online.staff, json={"state": "called"}).status_code == 404
    assert online.call("PATCH", path, online.staff, data="{}").status_code == 415


def test_a_card_is_bound_by_staff_and_its_older_binding_ends(online: Online):
    first, second = online.newcomer(), online.newcomer()
    bind = lambda patient_id: online.call(  # noqa: E731
        "POST", f"{API}/bindings/", online.staff, json={"patient_id": patient_id, "tag_id": "04 AA BB CC 01 02 03"}
    )
    made = bind(first)
    assert (made.status_code, made.json()["patient_id"]) == (201, first)
    again, moved = bind(first), bind(second)
    assert again.json() == made.json()
    assert moved.json()["binding_id"] != made.json()["binding_id"]
    online.act(online.staff, "scan_nfc", tag_id="04aabbcc010203")
    assert online.state(online.staff, patient_id=second).json()["journey_state"] == "ARRIVED"
    (ended,) = online.centre.rows("select end_ms from bindings where binding_id = :id", id=made.json()["binding_id"])
    assert ended["end_ms"] is not None


def binding_of(online: Online, patient_id: str, tag_id: str, action_id: str):
    body = {"patient_id": patient_id, "tag_id": tag_id, "action_id": action_id}
    return online.call("POST", f"{API}/bindings/", online.staff, json=body)


@pytest.mark.parametrize(
    ("tag_id", "why"),
    [
        ("08c0ffee", "shows another id each time"),
        ("felica:02FE001122334455", "a phone"),
        ("iso14443b:01020304", "may change"),
        ("1010012345678901", "taken for iso14443a"),
    ],
)
def test_a_card_that_every_kiosk_refuses_is_not_bound_and_the_words_say_why(online: Online, tag_id: str, why: str):
    refused = binding_of(online, online.newcomer(), tag_id, new_id())
    assert (refused.status_code, refused.json()["code"]) == (400, "unusable_card")
    assert why in refused.json()["error"]
    assert tag_id not in refused.text


def test_cards_of_two_technologies_with_the_same_bytes_open_two_patients(online: Online):
    first, second = online.newcomer(), online.newcomer()
    assert binding_of(online, first, "ksx6924:1010012345678955", new_id()).status_code == 201
    assert binding_of(online, second, "FeliCa:10 10 01 23 45 67 89 55", new_id()).status_code == 201
    for technology, holder in {"ksx6924": first, "felica": second, "iso15693": None}.items():
        with online.centre.store.read() as db:
            cards = online.centre.parts.keys.hashes(f"{technology}:1010012345678955")
            binding = binding_of_card(db, cards)
        assert (binding.patient_id if binding else None) == holder


def test_a_late_repeat_of_a_binding_does_not_take_the_card_back(online: Online):
    first, second, action_id, uid = online.newcomer(), online.newcomer(), new_id(), "04C1C2C3C4C5C6"
    made = binding_of(online, first, uid, action_id)
    assert made.status_code == 201
    assert binding_of(online, second, uid, new_id()).json()["patient_id"] == second
    late = binding_of(online, first, "04:c1:c2:c3:c4:c5:c6", action_id)
    assert (late.status_code, late.content) == (201, made.content)
    with online.centre.store.read() as db:
        binding = binding_of_card(db, online.centre.parts.keys.hashes(canonical_tag(uid)))
    assert binding is not None
    assert binding.patient_id == second
    audited = online.centre.rows("select kind from audit where action_id = :id", id=action_id)
    assert [row["kind"] for row in audited] == ["bind"]


def test_a_binding_with_the_action_id_of_another_one_is_refused(online: Online):
    first, second, action_id = online.newcomer(), online.newcomer(), new_id()
    assert binding_of(online, first, "04D1D2D3D4D5D6", action_id).status_code == 201
    for patient_id, tag_id in ((second, "04D1D2D3D4D5D6"), (first, "04D1D2D3D4D5D7")):
        refused = binding_of(online, patient_id, tag_id, action_id)
        assert (refused.status_code, refused.json()["code"]) == (409, "action_id_reused")
    (bound,) = online.centre.rows("select patient_id from actions where action_id = :id", id=action_id)
    assert bound["patient_id"] == first
    assert binding_of(online, first, "04D1D2D3D4D5D6", "no").json()["code"] == "invalid_action_id"


def test_a_card_that_bears_the_number_of_its_holder_can_be_bound_and_used(online: Online):
    patient_id = online.newcomer()
    bound = binding_of(online, patient_id, patient_id, new_id())
    assert (bound.status_code, bound.json()["patient_id"]) == (201, patient_id)
    done = online.act(online.staff, "scan_nfc", patient_id=patient_id, tag_id=patient_id)
    assert (done.status_code, done.json()["journey_state"]) == (200, "ARRIVED")


def test_a_card_that_staff_bind_is_kept_nowhere_as_it_was_read(online: Online):
    uid = "04E1E2E3E4E5E6"
    assert binding_of(online, online.newcomer(), uid, new_id()).status_code == 201
    stored = b"".join(path.read_bytes() for path in online.centre.directory.glob("centre.db*")).lower()
    for spelling in (uid, "04:E1:E2:E3:E4:E5:E6"):
        assert spelling.lower().encode() not in stored


def test_a_card_is_kept_nowhere_as_it_was_read(online: Online):
    patient_id = online.newcomer()
    token = online.own_token(patient_id)
    uid = "04F1F2F3F4F5F6"
    online.act(token, "scan_nfc", tag_id=uid, metadata={"tag_id": uid.lower(), "said": ["04:F1:F2:F3:F4:F5:F6"]})
    (row,) = online.centre.rows("select metadata from transitions where patient_id = :id", id=patient_id)
    newest = online.centre.parts.keys.hashes(canonical_tag(uid))[0]
    assert row["metadata"].count(newest.uid_hash) == 3
    stored = "".join(path.read_bytes().hex() for path in online.centre.directory.glob("centre.db*"))
    for spelling in (uid, uid.lower(), "04:F1:F2:F3:F4:F5:F6"):
        assert spelling.encode().hex() not in stored
    assert uid.lower() not in stored.lower()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        ({"patient_id": "P01"}, 400),
        ({"patient_id": "P01", "tag_id": ""}, 400),
        ({"patient_id": "P01", "tag_id": 4}, 400),
        ({"tag_id": "04aabbcc"}, 400),
        ({"patient_id": "P01", "tag_id": "felica:zz"}, 400),
        ({"patient_id": "nobody", "tag_id": "04aabbcc"}, 404),
    ],
)
def test_a_binding_that_makes_no_sense_is_refused(online: Online, body, status):
    assert online.call("POST", f"{API}/bindings/", online.staff, json=body).status_code == status
    assert online.call("POST", f"{API}/bindings/", online.staff, data=b"x").status_code == 415


def test_a_history_tells_what_happened_in_its_order(online: Online):
    patient_id, _ = waiting(online)
    online.act(online.staff, "call_patient", patient_id=patient_id)
    told = online.call("GET", f"{API}/patients/{patient_id}/history/", online.staff).json()["transitions"]
    assert [row["action"] for row in told] == [*TO_WAITING, "call_patient"]
    assert told[0] | {"visit_id": "", "action_id": ""} == {
        "from_state": "UNREGISTERED",
        "to_state": "ARRIVED",
        "action": "scan_nfc",
        "trigger_type": "nfc_tag",
        "source": "rest",
        "action_id": "",
        "visit_id": "",
        "leg": 0,
        "metadata": {},
        "time_quality": "received",
        "happened_at": f"{DAY}T09:00:00+09:00",
        "recorded_at": f"{DAY}T09:00:00+09:00",
    }
    assert online.call("GET", f"{API}/patients/nobody/history/", online.staff).status_code == 404


def test_what_waits_for_staff_is_listed_until_it_is_settled(online: Online):
    with online.centre.store.write() as db:
        for number, settled in ((1, None), (2, 5)):
            db.execute(
                "insert into exceptions values (:id, 'money', 'P01', null, null, 'K1', '{\"seq\":4}', 1000, :settled,"
                " null, null, null, 1, 1000)",
                {"id": f"case-{number}", "settled": settled},
            )
    told = online.call("GET", f"{API}/exceptions/", online.staff).json()["exceptions"]
    assert told == [
        {
            "exception_id": "case-1",
            "code": "money",
            "patient_id": "P01",
            "action_id": None,
            "visit_id": None,
            "kiosk_id": "K1",
            "detail": {"seq": 4},
            "opened_at": "1970-01-01T09:00:01+09:00",
            "count": 1,
            "last_at": "1970-01-01T09:00:01+09:00",
            "has_card": False,
            "card_blocked": False,
            "may_bind": False,
            "patient_name": "환자01",
            "kiosk_name": None,
        }
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/queue/"),
        ("POST", "/queue/search/"),
        ("PATCH", "/queue/x/"),
        ("GET", "/exceptions/"),
        ("POST", "/bindings/"),
        ("GET", "/patients/P01/history/"),
    ],
)
def test_none_of_it_is_for_patients(online: Online, method, path):
    token = online.own_token(online.newcomer())
    assert online.call(method, API + path, token, json={}).status_code == 403
    assert online.call(method, API + path, json={}).status_code == 401
