"""Signing in on each database: the lock, the last administrator, codes, and the provider's accounts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sync.central.maintenance.housekeeping import Housekeeping
from sync.central.records.account_sessions import delete_ended_account_tokens
from sync.central.records.accounts import Account, account_of_login, add_account
from sync.central.records.duties import Duty
from sync.central.records.provider_attempts import LIFE_MS, MOST, ProviderAttempt, add_attempt, take_attempt
from sync.central.records.sessions import bearer_of_session, delete_ended_sessions
from sync.central.records.sign_ins import FORGOTTEN_MS, KNOWN_MS, MOST_BROWSERS, delete_old_failures, remember_browser
from sync.central.records.tokens import hash_of
from sync.central.services.account_codes import UseCode, use_code
from sync.central.services.errors import ApiError
from sync.central.services.passwords import Passwords
from sync.central.services.people import ChangeStaffMember, Invite, change_person, invite, people
from sync.central.services.requester import Requester
from sync.central.services.sign_in import WRONG, Begun, SignIn, Visitor, sign_in_by_password
from sync.central.services.sign_in_lock import TooMany
from sync.clock import DAY_MS
from sync.ids import new_id
from sync.journey.model import STAFF
from tests.sync.central.centre import Centre

PASSWORD = "맑은 아침 소나무 길"
PASSWORDS = Passwords()
HASH = PASSWORDS.hash(PASSWORD)
HERE = Visitor("10.0.0.7")
OPERATOR = Requester(STAFF, "x", "desk")


def account(centre: Centre, login: str, *duties: Duty) -> str:
    made = Account(new_id(), login, login, frozenset(duties), centre.clock(), HASH)
    with centre.store.write() as db:
        add_account(db, made)
    return made.account_id


def attempt(
    centre: Centre, login: str, password: str = PASSWORD, visitor: Visitor = HERE
) -> Begun | ApiError | TooMany:
    return sign_in_by_password(centre.parts, PASSWORDS, SignIn(login, password), visitor)


def count(centre: Centre, table: str) -> int:
    (row,) = centre.rows(f"select count(*) as number from {table}")
    return int(row["number"])


def test_a_session_bears_the_person_and_the_duties(centre: Centre):
    account_id = account(centre, "kim", Duty.RECEPTION, Duty.ADMINISTRATOR)
    begun = attempt(centre, "KIM")
    assert isinstance(begun, Begun)
    with centre.store.read() as db:
        bearer = bearer_of_session(db, hash_of(begun.session), centre.clock())
    assert bearer is not None
    assert (bearer.who, bearer.account_id) == ("staff:kim", account_id)
    assert bearer.duties == {Duty.RECEPTION, Duty.ADMINISTRATOR}


def test_guesses_at_once_are_counted_before_they_are_looked_at(centre: Centre):
    account(centre, "kim", Duty.RECEPTION)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: attempt(centre, "kim", "not the password"), range(12)))
    assert [each for each in answers if each == WRONG] == [WRONG] * 5
    assert sum(isinstance(each, TooMany) for each in answers) == 7


def test_two_administrators_who_take_each_other_away_leave_one(centre: Centre):
    ids = [account(centre, login, Duty.ADMINISTRATOR) for login in ("a1", "a2")]
    change = ChangeStaffMember(is_disabled=True)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: change_person(centre.parts, OPERATOR, each, change), ids))
    assert sum(isinstance(each, ApiError) for each in answers) == 1
    assert [each.is_disabled for each in people(centre.parts).people].count(False) == 1


def test_one_code_makes_one_account_however_many_use_it_at_once(centre: Centre):
    made = invite(centre.parts, OPERATOR, Invite((Duty.RECEPTION,)))
    assert not isinstance(made, ApiError)

    def use(number: int) -> object:
        wanted = UseCode(made.code, PASSWORD, login=f"kim{number}", name="Kim")
        return use_code(centre.parts, PASSWORDS, wanted, Visitor(f"10.0.1.{number}"))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(use, range(4)))
    assert sum(isinstance(each, Begun) for each in answers) == 1
    assert count(centre, "accounts") == 1


def test_two_codes_for_one_login_name_make_one_account(centre: Centre):
    codes = [invite(centre.parts, OPERATOR, Invite((Duty.RECEPTION,))) for _ in range(2)]

    def use(code: object) -> object:
        assert not isinstance(code, ApiError)
        return use_code(centre.parts, PASSWORDS, UseCode(code.code, PASSWORD, login="kim", name="Kim"), HERE)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(use, codes))
    assert sum(isinstance(each, Begun) for each in answers) == 1
    (refused,) = [each for each in answers if isinstance(each, ApiError)]
    assert refused.code == "login_taken"


def test_what_is_old_is_deleted(centre: Centre):
    account(centre, "kim", Duty.RECEPTION)
    assert isinstance(attempt(centre, "kim"), Begun)
    attempt(centre, "nobody", "not the password")
    with centre.store.write() as db:
        for after_ms, left in ((FORGOTTEN_MS - 1, 2), (FORGOTTEN_MS + 1, 0)):
            delete_old_failures(db, centre.clock() + after_ms)
            assert len(db.rows("select 1 from sign_in_failures")) == left
        delete_old_failures(db, centre.clock() + KNOWN_MS + 1)
        assert db.rows("select 1 from known_browsers") == []
        later_ms = centre.clock() + 9 * DAY_MS
        delete_ended_sessions(db, later_ms)
        delete_ended_account_tokens(db, later_ms)
        assert db.rows("select 1 from tokens where account_id is not null") == []


def test_the_background_work_deletes_it(centre: Centre):
    account(centre, "kim", Duty.RECEPTION)
    attempt(centre, "kim", "not the password")
    centre.clock.now_ms += 2 * DAY_MS
    Housekeeping(centre.parts)._tick()
    assert count(centre, "sign_in_failures") == 0


def test_the_oldest_browsers_and_attempts_make_room(centre: Centre):
    account_id, now_ms = account(centre, "kim", Duty.RECEPTION), centre.clock()
    with centre.store.write() as db:
        for number in range(MOST_BROWSERS + 2):
            remember_browser(db, f"b{number}", account_id, now_ms + number)
        kept = {row["browser_hash"] for row in db.rows("select browser_hash from known_browsers")}
        assert kept == {f"b{number}" for number in range(2, MOST_BROWSERS + 2)}
        for number in range(MOST + 2):
            add_attempt(db, ProviderAttempt(f"s{number}", "n", "v", "/staff/", now_ms + number))
        assert len(db.rows("select 1 from provider_attempts")) <= MOST + 1
        assert take_attempt(db, f"s{MOST}", now_ms + MOST) is not None
        assert take_attempt(db, f"s{MOST}", now_ms + MOST) is None
        assert take_attempt(db, f"s{MOST + 1}", now_ms + MOST + 1 + LIFE_MS) is None


@pytest.mark.parametrize("login", ["kim", "KIM", "ｋｉｍ"])
def test_a_login_name_is_one_in_all_spellings(centre: Centre, login: str):
    account(centre, "kim", Duty.RECEPTION)
    assert isinstance(attempt(centre, login), Begun)
    with centre.store.read() as db:
        assert account_of_login(db, "kim") is not None
