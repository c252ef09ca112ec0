"""The exams that a board watches, as a query names them."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from sync.central.services.errors import ApiError

MOST_EXAMS = 200
_LONGEST = 128  # of an id
ExamIds = Annotated[
    str, Meta(max_length=MOST_EXAMS * (_LONGEST + 1), description="The ids of exams, parted by commas.")
]
_TOO_MANY = ApiError("malformed", f"A board watches at most {MOST_EXAMS} exams.")


def read_exam_ids(text: str) -> Sequence[str] | ApiError:
    """The ids in a text, each once."""
    found = tuple(dict.fromkeys(each for each in text.split(",") if each))
    return found if len(found) <= MOST_EXAMS else _TOO_MANY
