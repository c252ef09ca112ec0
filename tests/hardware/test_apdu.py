"""A card that says that only the length of the question was wrong is asked again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hardware.apdu import in_time, with_right_length

SELECT = bytes.fromhex("00A4040007D410000003000100")


def test_a_command_is_sent_again_with_the_length_that_the_card_names():
    answers = {SELECT: b"\x6c\x33", SELECT[:-1] + b"\x33": b"data\x90\x00"}
    assert with_right_length(answers.get)(SELECT) == b"data\x90\x00"


def test_an_answer_in_pieces_is_put_together():
    pieces = iter([b"on\x61\x02", b"e \x61\x03", b"two\x90\x00"])
    assert with_right_length(lambda _: next(pieces))(SELECT) == b"one two\x90\x00"


def test_a_card_that_falls_silent_in_between_has_not_answered():
    pieces = iter([b"on\x61\x02", None])
    assert with_right_length(lambda _: next(pieces))(SELECT) is None


@given(st.lists(st.none() | st.binary(max_size=4), min_size=20, max_size=20))
def test_any_answers_come_to_an_end(answers: list[bytes | None]):
    turns = iter(answers)
    with_right_length(lambda _: next(turns))(SELECT)


def test_a_card_that_always_has_more_to_say_is_silent_once_its_time_is_up():
    now_s, asked = [0.0], []

    def slow(command: bytes) -> bytes:
        asked.append(command)
        now_s[0] += 1.0
        return b"on\x61\x02"

    assert with_right_length(in_time(slow, 3.0, lambda: now_s[0]))(SELECT) is None
    assert len(asked) == 3
