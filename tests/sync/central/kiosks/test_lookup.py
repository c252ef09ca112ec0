"""Look-up: one card, one patient or none, a row of the access log, and a number of look-ups a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sync.cards import CardHash
from sync.central.kiosks.lookup import MOST_A_MINUTE, look_up
from sync.central.records.bindings import bind
from sync.central.records.journeys import mark_changed
from sync.central.records.kiosks import revoke_kiosk
from sync.ids import new_id
from sync.protocol import CallRefused, EndCode, LookupAnswer, LookupRequest
from tests.sync.central.wire import BY_STAFF, Centre, Kiosk, cards_of

STRANGE = (CardHash("k1", "ab" * 32),)


def ask(centre: Centre, cards: tuple[CardHash, ...], kiosk_id: str = "kiosk-1", **changes: Any) -> object:
    fields: dict[str, Any] = {
        "protocol_version": 2,
        "site_id": centre.site_id,
        "kiosk_id": kiosk_id,
        "card": cards[0],
    }
    request = msgspec.json.encode(LookupRequest(**(fields | changes)))
    return look_up(centre.parts, kiosk_id, msgspec.json.decode(request, type=LookupRequest), "192.0.2.7")


def answered(centre: Centre, cards: tuple[CardHash, ...], kiosk_id: str = "kiosk-1") -> LookupAnswer:
    answer = ask(centre, cards, kiosk_id)
    assert isinstance(answer, LookupAnswer)
    return answer


def refused(answer: object) -> CallRefused:
    assert isinstance(answer, CallRefused)
    return answer


def looks(centre: Centre) -> list[tuple[object, object, object]]:
    rows = centre.rows("select who, patient_id, detail from audit where kind = 'look:card' order by audit_id")
    return [(row["who"], row["patient_id"], row["detail"]) for row in rows]


def test_a_patient_without_a_booking_is_found_with_the_row_of_a_page(centre: Centre):
    centre.enrol()
    row = answered(centre, cards_of("P3")).patient
    assert row is not None
    assert (row.patient_id, row.masked_name, row.journey) == ("P3", "P****n P*", centre.journey("P3"))
    assert [(b.key_id, b.uid_hash) for b in row.bindings] == [(c.key_id, c.uid_hash) for c in cards_of("P3")]


def test_a_card_of_nobody_is_unknown(centre: Centre):
    centre.enrol()
    assert answered(centre, STRANGE).patient is None


def test_each_look_up_is_a_row_of_the_access_log_and_no_hash_is_in_it(centre: Centre):
    centre.enrol()
    answered(centre, cards_of("P3"))
    answered(centre, STRANGE)
    assert set(looks(centre)) == {
        ("kiosk-1", "P3", '{"from":"192.0.2.7"}'),
        ("kiosk-1", None, '{"from":"192.0.2.7"}'),
    }


def test_a_kiosk_has_twenty_look_ups_a_minute_and_another_kiosk_its_own(centre: Centre):
    centre.enrol()
    centre.enrol()
    for _ in range(MOST_A_MINUTE):
        answered(centre, STRANGE)
        centre.time.pass_minutes(1 / 60)
    answer = refused(ask(centre, cards_of("P3")))
    assert (answer.code, answer.retry_after_s) == (EndCode.TRY_LATER, 40.0)
    assert len(looks(centre)) == MOST_A_MINUTE
    assert answered(centre, cards_of("P3"), "kiosk-2").patient is not None
    centre.time.pass_minutes(40 / 60)
    assert answered(centre, cards_of("P3")).patient is not None
    assert refused(ask(centre, STRANGE)).code is EndCode.TRY_LATER
    centre.time.pass_minutes(1)
    assert answered(centre, STRANGE).patient is None


def test_a_found_patient_is_on_the_roster_for_the_rest_of_the_day(centre: Centre, tmp_path: Path):
    kiosk, other = Kiosk(tmp_path / "k.db", centre, "A"), Kiosk(tmp_path / "o.db", centre, "B")
    kiosk.pull()
    other.pull()
    assert kiosk.base("P3") is None
    kiosk.look_up("P3")
    assert kiosk.base("P3") is not None
    for each in (kiosk, other):
        each.pull()
        assert each.base("P3") is not None
        assert each.parts.patient_of_card(cards_of("P3")) == "P3"
    # What changes there later reaches the kiosk: the card may be given to somebody else.
    with centre.store.write() as db:
        bind(db, "P1", cards_of("P3"), new_id(), centre.time(), BY_STAFF)
        mark_changed(db, "P3")
        mark_changed(db, "P1")
    kiosk.pull()
    assert kiosk.parts.patient_of_card(cards_of("P3")) == "P1"
    centre.time.pass_minutes(24 * 60)
    kiosk.pull()
    assert kiosk.base("P3") is None


def test_a_found_patient_checks_in_as_any_other(centre: Centre, tmp_path: Path):
    kiosk = Kiosk(tmp_path / "k.db", centre, "A")
    kiosk.pull()
    kiosk.look_up("P3")
    kiosk.check_in("P3")
    kiosk.sync()
    assert [status for _, status, _ in kiosk.statuses()] == ["applied"] * 3
    assert centre.journey("P3").state == "WAITING"


def test_a_page_on_the_way_does_not_take_the_found_patient_away(centre: Centre, tmp_path: Path):
    kiosk = Kiosk(tmp_path / "k.db", centre, "A")
    kiosk.look_up("P3")  # before the first page: the snapshot names everybody
    kiosk.pull()
    assert kiosk.base("P3") is not None


@pytest.mark.parametrize("card", [CardHash("k", "x" * 129), CardHash("k" * 129, "x")])
def test_what_is_no_card_is_malformed_and_costs_nothing(centre: Centre, card: CardHash):
    centre.enrol()
    assert refused(ask(centre, (card,))).code is EndCode.MALFORMED
    assert looks(centre) == []


def test_a_kiosk_that_is_ended_or_names_another_looks_up_nobody(centre: Centre):
    centre.enrol()
    assert refused(ask(centre, STRANGE, kiosk_id="kiosk-9")).code is EndCode.NOT_KNOWN
    claims = LookupRequest(protocol_version=2, site_id=centre.site_id, kiosk_id="kiosk-2", card=STRANGE[0])
    assert refused(look_up(centre.parts, "kiosk-1", claims)).code is EndCode.NOT_KNOWN
    with centre.store.write() as db:
        revoke_kiosk(db, "kiosk-1", centre.time())
    assert refused(ask(centre, cards_of("P3"))).code is EndCode.ENDED
    assert looks(centre) == []


def test_a_kiosk_of_another_site_learns_nothing(centre: Centre):
    centre.enrol()
    assert refused(ask(centre, cards_of("P3"), site_id="another")).code is EndCode.OTHER_SITE
    assert looks(centre) == []


def test_a_version_that_the_centre_does_not_speak_is_named(centre: Centre):
    centre.enrol()
    answer = refused(ask(centre, STRANGE, protocol_version=9))
    assert (answer.code, answer.versions) == (EndCode.UNSUPPORTED_VERSION, (2,))
