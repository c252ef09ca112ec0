"""The boards of staff over REST: the lines of exams, a search, a patient's day, the worklist for the printer."""

from typing import Annotated

import msgspec
from flask import Blueprint
from msgspec import Meta

from sync.central.centre import Centre
from sync.central.records.tokens import Bearer
from sync.central.services.board import Board, BoardExams
from sync.central.services.board_feed import ENDED_TOLD, BoardFeed
from sync.central.services.board_picture import ENDED_KEPT
from sync.central.services.bodies import Body, read_members
from sync.central.services.errors import ApiError
from sync.central.services.find_patients import PatientsFound, WantedPatient, find_patients
from sync.central.services.patient_day import PatientDay, patient_day
from sync.central.services.told import AboutNobody, Told
from sync.central.services.worklist import WantedWorklist, Worklist, read_worklist
from sync.central.web.endpoints import Endpoints
from sync.central.web.watched_exams import ExamIds, read_exam_ids
from sync.journey.model import Role

_WANTED = Body(WantedPatient, lambda document: read_members(WantedPatient, document, {}))


class WantedBoard(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are told: those of the exams whose ids are given, parted by commas; without any, of all exams.

    `ended` is how many entries are told that have ended.
    """

    exams: ExamIds = ""
    ended: Annotated[int, Meta(ge=0, le=ENDED_KEPT)] = ENDED_TOLD


def board_api(centre: Centre, endpoints: Endpoints, boards: BoardFeed) -> Blueprint:
    """The routes of boards under /api/v1/, which a staff token opens."""
    api = Blueprint("board", __name__, url_prefix="/api/v1")

    @api.get("/board/")
    @endpoints.endpoint("Read the lines of exams", Board, Role.STAFF, query=WantedBoard, refuses=("not_found",))
    def read_board(_: Bearer, wanted: WantedBoard) -> Told | ApiError:
        exam_ids = read_exam_ids(wanted.exams)
        if isinstance(exam_ids, ApiError):
            return exam_ids
        found = boards.board(exam_ids, wanted.ended)
        return found if isinstance(found, ApiError) else found.told

    @api.get("/board/exams/")
    @endpoints.endpoint("List the exams with the numbers of their entries", BoardExams, Role.STAFF)
    def list_exams(_: Bearer) -> AboutNobody:
        return boards.exams()

    @api.post("/board/find/")
    @endpoints.endpoint("Find patients by number, id, name or card", PatientsFound, Role.STAFF, body=_WANTED)
    def find(_: Bearer, wanted: WantedPatient) -> Told | ApiError:
        # A name and a card are in the body, since logs hold URLs.
        return find_patients(centre, wanted)

    @api.get("/board/worklist/")
    @endpoints.endpoint(
        "Read the worklist of an exam for the printer",
        Worklist,
        Role.STAFF,
        query=WantedWorklist,
        refuses=("not_found",),
    )
    def worklist(_: Bearer, wanted: WantedWorklist) -> Told | ApiError:
        return read_worklist(centre, wanted)

    @api.get("/patients/<patient_id>/day/")
    @endpoints.endpoint("Read a patient's day", PatientDay, Role.STAFF, refuses=("unknown_patient",))
    def read_day(_: Bearer, patient_id: str) -> Told | ApiError:
        return patient_day(centre, patient_id)

    return api
