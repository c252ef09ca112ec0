"""The boards of staff over REST: the lines of exams, for pages without a socket and for programs."""

from typing import Annotated

import msgspec
from flask import Blueprint
from msgspec import Meta

from sync.central.records.tokens import Bearer
from sync.central.services.board import Board, BoardExams
from sync.central.services.board_feed import ENDED_TOLD, BoardFeed
from sync.central.services.board_picture import ENDED_KEPT
from sync.central.services.errors import ApiError
from sync.central.services.told import AboutNobody, Told
from sync.central.web.endpoints import Endpoints
from sync.central.web.watched_exams import ExamIds, read_exam_ids
from sync.journey.model import Role


class WantedBoard(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines are told: those of the exams whose ids are given, parted by commas; without any, of all exams.

    `ended` is how many entries are told that have ended.
    """

    exams: ExamIds = ""
    ended: Annotated[int, Meta(ge=0, le=ENDED_KEPT)] = ENDED_TOLD


def board_api(endpoints: Endpoints, boards: BoardFeed) -> Blueprint:
    """The routes under /api/v1/board/, which a staff token opens."""
    api = Blueprint("board", __name__, url_prefix="/api/v1/board")

    @api.get("/")
    @endpoints.endpoint("Read the lines of exams", Board, Role.STAFF, query=WantedBoard, refuses=("not_found",))
    def read_board(_: Bearer, wanted: WantedBoard) -> Told | ApiError:
        exam_ids = read_exam_ids(wanted.exams)
        if isinstance(exam_ids, ApiError):
            return exam_ids
        found = boards.board(exam_ids, wanted.ended)
        return found if isinstance(found, ApiError) else found.told

    @api.get("/exams/")
    @endpoints.endpoint("List the exams with the numbers of their entries", BoardExams, Role.STAFF)
    def list_exams(_: Bearer) -> AboutNobody:
        return boards.exams()

    return api
