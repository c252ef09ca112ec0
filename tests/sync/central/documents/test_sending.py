"""How the rows of a spool reach the centre: portions, their order, cards that change holders, a check."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync.central.documents.read_rows import Reading, open_source, read_document
from sync.central.documents.sending import MOST_BYTES, MOST_CHECKED, MOST_ROWS, Sender
from sync.central.documents.spool import Spool
from sync.central.documents.taking import Taking
from sync.central.imports.parts import Kind
from sync.central.opening import open_centre
from sync.central.operations.catalog import operations
from sync.control import ControlError
from tests.sync.central.centre import DAY, Centre, card, hospital, patient


@dataclass
class Listening:
    """The way to a real centre, which keeps what was asked."""

    centre: Any
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, op: str, /, **arguments: object) -> Any:
        sent = json.loads(json.dumps(arguments))
        self.asked.append((op, sent))
        return json.loads(json.dumps(operations(self.centre)[op](sent)))

    def portions(self) -> list[list[dict[str, Any]]]:
        return [arguments["rows"] for op, arguments in self.asked if op == "import-rows"]

    def kinds(self) -> list[str]:
        """The kinds of what was asked, in order, each run of one kind once."""
        found: list[str] = []
        for op, arguments in self.asked:
            for kind in [row["kind"] + " last" * row["last"] for row in arguments.get("rows", [])] or [op]:
                if found[-1:] != [kind]:
                    found.append(kind)
        return found


@pytest.fixture
def spool() -> Iterator[Spool]:
    with closing(Spool()) as made:
        yield made


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Listening]:
    centre = open_centre(f"sqlite:///{tmp_path}/empty.db")
    yield Listening(centre)
    centre.store.close()


def read_into(spool: Spool, tmp_path: Path, document: Mapping[str, Any]) -> None:
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document, indent=1))
    with open_source(str(file)) as source:
        spool.add(read_document(source, Reading()).rows)
    spool.judge()


def cards_of(centre: Centre) -> dict[str, int]:
    """The number of cards in force, by patient."""
    rows = centre.rows("select patient_id, count(*) as cards from bindings where end_ms is null group by patient_id")
    return {row["patient_id"]: row["cards"] for row in rows}


def holder_of(centre: Centre, number: int) -> str:
    hashes = centre.parts.keys.hashes(f"iso14443a:{card(number).upper()}")
    (row,) = centre.rows(
        "select b.patient_id from bindings b join binding_hashes h on h.binding_id = b.binding_id"
        " where h.uid_hash = :uid_hash and b.end_ms is null",
        uid_hash=hashes[0].uid_hash,
    )
    return str(row["patient_id"])


def take(centre: Any, spool: Spool, tmp_path: Path, document: Mapping[str, Any], **how: bool) -> Listening:
    read_into(spool, tmp_path, document)
    ask = centre if isinstance(centre, Listening) else Listening(centre.parts)
    Taking(spool, ask, lambda rows: None, **how).run()
    return ask


def reasons(spool: Spool) -> dict[str | None, str]:
    return {remark.row_id: remark.text for remark in spool.refusals()}


def test_kinds_go_in_the_order_in_which_they_name_each_other(spool: Spool, tmp_path: Path, empty: Listening):
    document = {"complete_days": [DAY], **dict(reversed(hospital(DAY, 4).items()))}
    take(empty, spool, tmp_path, document)
    assert reasons(spool) == {}
    assert empty.kinds() == ["exams", "site", "patients", "appointments", "import-day"]


def test_a_portion_has_a_bounded_number_of_rows_and_bytes(spool: Spool, tmp_path: Path, empty: Listening):
    document = hospital(DAY, 1200)
    for row in document["patients"][:300]:
        row["masked_name"] = "긴" * 256
        row["cards"] = [f"tag {n:0250}" for n in range(8)] if row is document["patients"][0] else []
    take(empty, spool, tmp_path, document)
    portions = empty.portions()
    assert max(len(rows) for rows in portions) <= MOST_ROWS
    assert max(len(json.dumps(rows)) for rows in portions) <= MOST_BYTES
    assert sum(len(rows) for rows in portions) == 4 + 1 + 1200 + 2 * 960


def test_a_check_holds_the_writer_for_few_rows_at_once(spool: Spool, tmp_path: Path, empty: Listening):
    ask = take(empty, spool, tmp_path, hospital(DAY, 120), check=True)
    assert reasons(spool) == {}
    assert max(len(rows) for rows in ask.portions()) <= MOST_CHECKED < MOST_ROWS
    assert (spool.count(Kind.PATIENT).taken, spool.count(Kind.APPOINTMENT).taken) == (120, 192)


def test_two_patients_with_each_others_cards_are_set_right_however_far_apart(
    centre: Centre, spool: Spool, tmp_path: Path
):
    between = [{"patient_id": f"B-{n}", "name": "사이"} for n in range(600)]
    swapped = [
        {"patient_id": patient(1), "cards": [card(2)]},
        *between,
        {"patient_id": patient(2), "cards": [card(1)]},
    ]
    before = cards_of(centre)
    take(centre, spool, tmp_path, {"patients": swapped})
    assert reasons(spool) == {}
    assert (holder_of(centre, 1), holder_of(centre, 2)) == (patient(2), patient(1))
    assert cards_of(centre) == before


def test_cards_that_go_round_among_three_patients_are_set_right(centre: Centre, spool: Spool, tmp_path: Path):
    rows = [{"patient_id": patient(n), "cards": [card(n % 3 + 1)]} for n in (1, 2, 3)]
    take(centre, spool, tmp_path, {"patients": rows})
    assert reasons(spool) == {}
    assert [holder_of(centre, n) for n in (1, 2, 3)] == [patient(3), patient(1), patient(2)]


def test_a_card_whose_holder_does_not_give_it_up_is_refused_and_stays(centre: Centre, spool: Spool, tmp_path: Path):
    rows = [{"patient_id": "N-1", "name": "새환자", "cards": ["04aabbccddee01", card(1)]}]
    rows += [{"patient_id": patient(1), "name": "한이름"}]
    take(centre, spool, tmp_path, {"patients": rows})
    assert reasons(spool) == {"N-1": f"card 2 belongs to patient {patient(1)}"}
    assert holder_of(centre, 1) == patient(1)
    assert "N-1" not in cards_of(centre)


def test_a_card_that_a_row_leaves_out_ends_after_every_other_row(centre: Centre, spool: Spool, tmp_path: Path):
    ask = take(centre, spool, tmp_path, {"patients": [{"patient_id": patient(1), "cards": []}]})
    assert ask.kinds() == ["patients", "patients last"]
    assert patient(1) not in cards_of(centre)
    assert spool.count(Kind.PATIENT).cards == 1


def test_a_refused_row_gives_no_card_up(centre: Centre, spool: Spool, tmp_path: Path):
    rows = [
        {"patient_id": patient(1), "birth_date": "1980-13-45", "cards": []},
        {"patient_id": patient(2), "cards": [card(1)]},
    ]
    take(centre, spool, tmp_path, {"patients": rows})
    assert reasons(spool)[patient(2)] == f"card 1 belongs to patient {patient(1)}"
    assert holder_of(centre, 1) == patient(1)


def test_a_strict_document_of_which_a_row_is_refused_writes_nothing(spool: Spool, tmp_path: Path, empty: Listening):
    document = hospital(DAY, 3)
    document["appointments"][-1]["exam_id"] = "nowhere"
    take(empty, spool, tmp_path, document, strict=True)
    assert reasons(spool) == {document["appointments"][-1]["appointment_id"]: "unknown exam: nowhere"}
    with empty.centre.store.read() as db:
        assert db.value("select (select count(*) from exams) + (select count(*) from patients)") == 0


def test_a_check_judges_each_row_with_the_rows_that_it_names(spool: Spool, tmp_path: Path, empty: Listening):
    take(empty, spool, tmp_path, hospital(DAY, 1200), strict=True)
    assert reasons(spool) == {}
    portions = empty.portions()
    assert max(len(rows) for rows in portions) <= MOST_ROWS
    checked = [arguments["rows"] for op, arguments in empty.asked if op == "import-rows" and arguments["check"]]
    assert 1 < max(len(rows) for rows in checked) <= MOST_CHECKED, "the centre cannot pause within a check"
    assert max(len(json.dumps(rows)) for rows in portions) <= MOST_BYTES
    with empty.centre.store.read() as db:
        assert db.value("select count(*) from appointments") == 2 * 960


def test_a_check_of_swapped_cards_finds_them_right_and_writes_nothing(centre: Centre, spool: Spool, tmp_path: Path):
    rows = [{"patient_id": patient(1), "cards": [card(2)]}, {"patient_id": patient(2), "cards": [card(1)]}]
    before = centre.rows("select * from bindings order by binding_id")
    take(centre, spool, tmp_path, {"patients": rows}, check=True)
    assert reasons(spool) == {}
    assert centre.rows("select * from bindings order by binding_id") == before


def test_a_booking_whose_row_was_refused_counts_as_named(centre: Centre, spool: Spool, tmp_path: Path):
    document = hospital(DAY, 20)
    document["appointments"][0]["exam_id"] = "nowhere"
    document["appointments"][1]["scheduled_at"] = "never"
    document["appointments"].pop(2)
    left_out = hospital(DAY, 20)["appointments"][2]["appointment_id"]
    read_into(spool, tmp_path, {"complete_days": [DAY, DAY, "2026-13-01"], "appointments": document["appointments"]})
    ask = Listening(centre.parts)
    Sender(spool, ask, lambda rows: None).send()
    days = [arguments for op, arguments in ask.asked if op == "import-day"]
    assert [(day["day"], day["force"], day["check"]) for day in days] == [(DAY, False, False)]
    assert set(days[0]["named"]) == {row["appointment_id"] for row in document["appointments"]}
    assert left_out not in days[0]["named"]
    assert len(list(spool.refusals())) == 3


@pytest.mark.parametrize("nameless", [{"exam_id": "xray"}, {"appointment_id": 17}, {"appointment_id": "\u200b"}, "A-1"])
def test_a_complete_day_is_refused_where_a_booking_of_the_document_has_no_id(
    centre: Centre, spool: Spool, tmp_path: Path, nameless: object
):
    bookings = hospital(DAY, 20)["appointments"][1:]
    read_into(spool, tmp_path, {"complete_days": [DAY], "appointments": [*bookings, nameless]})
    ask = Listening(centre.parts)
    Sender(spool, ask, lambda rows: None).send()
    assert "does not name every booking: rows of appointments have no id" in reasons(spool)[DAY]
    assert "import-day" not in ask.kinds()
    with closing(Spool()) as again:
        read_into(again, tmp_path, {"complete_days": [DAY], "appointments": [*bookings, nameless]})
        Sender(again, ask, lambda rows: None).send(force=True)
        assert DAY not in reasons(again)


@dataclass
class Scripted:
    """A centre that answers as the test says."""

    answers: Any

    def __call__(self, op: str, /, **arguments: Any) -> Any:
        return self.answers(arguments["rows"])


@pytest.mark.parametrize(
    "answers",
    [
        lambda rows: [],
        lambda rows: None,
        lambda rows: [{"line": 1}],
        lambda rows: [{"line": row["line"], "changed": "yes", "cards": 0} for row in rows],
    ],
)
def test_an_answer_in_another_form_is_an_error(spool: Spool, tmp_path: Path, answers: Any):
    read_into(spool, tmp_path, {"exams": [{"exam_id": "X"}]})
    with pytest.raises(ControlError, match="the service answer"):
        Sender(spool, Scripted(answers), lambda rows: None).send()


def test_a_card_that_never_comes_free_is_refused_in_the_end(spool: Spool, tmp_path: Path):
    rows = [{"patient_id": "P-1", "cards": ["04aabbccddee01"]}, {"patient_id": "P-2", "cards": []}]
    read_into(spool, tmp_path, {"patients": rows})
    held = {"P-1": {"1": "P-2"}, "P-2": {}}
    ask = Scripted(
        lambda rows: [
            {"line": row["line"], "changed": False, "cards": 0, "held": held[row["fields"]["patient_id"]]}
            for row in rows
        ]
    )
    Sender(spool, ask, lambda rows: None).send()
    assert reasons(spool) == {"P-1": "its cards have changed holders while the document was taken"}


def test_a_row_that_is_refused_at_the_last_counts_as_refused_alone(spool: Spool, tmp_path: Path):
    read_into(spool, tmp_path, {"patients": [{"patient_id": "P-1", "cards": []}]})

    def answers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        refused = "a case is open" if rows[0]["last"] else ""
        return [{"line": 1, "changed": True, "cards": 1, "refused": refused, "omits": True}]

    Sender(spool, Scripted(answers), lambda rows: None).send()
    count = spool.count(Kind.PATIENT)
    assert (count.rows, count.taken, count.changed, count.refused) == (1, 0, 0, 1)
