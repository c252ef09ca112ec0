"""The keys that open the page once, and the cookies that keep it open."""

from __future__ import annotations

import pytest

from kiosk.ui.admission import KEY_S, MAX_KEYS, Admission

PAGE = "http://127.0.0.1:8080/"
NONSENSE = ["", ".", "a", "a.b", "한국", "\udcff", "\0", "x" * 10_000, "." * 10_000]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> Admission:
    return Admission(b"a signing key", clock)


def key_of(admission: Admission) -> str:
    url = admission.one_time_url(PAGE)
    assert url.startswith(f"{PAGE}open/")
    return url.removeprefix(f"{PAGE}open/")


def test_a_key_is_good_once(admission: Admission):
    key = key_of(admission)
    assert admission.use_up(key)
    assert not admission.use_up(key)
    assert not admission.is_good(key)


def test_a_look_at_a_key_leaves_it_good(admission: Admission):
    key = key_of(admission)
    assert admission.is_good(key)
    assert admission.use_up(key)


def test_each_key_is_another_one_and_each_is_good(admission: Admission):
    keys = [key_of(admission) for _ in range(MAX_KEYS)]
    assert len(set(keys)) == MAX_KEYS
    assert all(len(key) >= 43 for key in keys)  # 256 bits
    assert all(admission.use_up(key) for key in reversed(keys))


def test_one_key_too_many_takes_the_place_of_the_oldest(admission: Admission):
    first, second, *rest = [key_of(admission) for _ in range(MAX_KEYS + 1)]
    assert not admission.use_up(first)
    assert all(admission.use_up(key) for key in (second, *rest))


def test_used_and_expired_keys_take_up_no_place(admission: Admission, clock: Clock):
    kept = key_of(admission)
    for _ in range(3 * MAX_KEYS):
        assert admission.use_up(key_of(admission))
    assert admission.is_good(kept)
    for _ in range(MAX_KEYS - 1):
        key_of(admission)
    clock.now += KEY_S - 1
    late = key_of(admission)
    clock.now += 2
    newest = [key_of(admission) for _ in range(MAX_KEYS - 1)]
    assert all(admission.use_up(key) for key in (late, *newest))


def test_a_key_is_good_for_ten_minutes_of_the_machines_own_clock(admission: Admission, clock: Clock):
    early, late = key_of(admission), key_of(admission)
    clock.now += 599.9
    assert admission.use_up(early)
    clock.now += 0.1
    assert not admission.is_good(late)
    assert not admission.use_up(late)


@pytest.mark.parametrize("key", NONSENSE, ids=repr)
def test_what_is_no_key_is_refused_and_costs_no_key(admission: Admission, key: str):
    good = key_of(admission)
    assert not admission.use_up(key)
    assert not admission.use_up(good[:-1])
    assert not admission.use_up(good + "a")
    assert admission.use_up(good)


def test_a_key_of_another_daemon_is_refused(admission: Admission):
    assert not Admission(b"a signing key").use_up(key_of(admission))


def test_a_cookie_is_good_in_every_daemon_with_the_same_signing_key(admission: Admission, clock: Clock):
    cookies = [admission.make_cookie() for _ in range(3)]
    assert len(set(cookies)) == 3
    clock.now += 10 * 365 * 86_400
    assert all(admission.admits(cookie) for cookie in cookies)
    assert all(Admission(b"a signing key").admits(cookie) for cookie in cookies)
    assert not any(Admission(b"another signing key").admits(cookie) for cookie in cookies)


@pytest.mark.parametrize("cookie", [None, *NONSENSE], ids=repr)
def test_what_is_no_cookie_admits_nobody(admission: Admission, cookie: str | None):
    assert not admission.admits(cookie)


def test_a_cookie_with_any_character_changed_admits_nobody(admission: Admission):
    cookie = admission.make_cookie()
    for place, character in enumerate(cookie[:-1]):  # the last one holds two bits that base64 does not use
        changed = cookie[:place] + ("A" if character != "A" else "B") + cookie[place + 1 :]
        assert not admission.admits(changed), place
    assert not admission.admits(key_of(admission))


def test_a_key_does_not_become_a_cookie(admission: Admission):
    key = key_of(admission)
    assert not admission.admits(key)
    assert not admission.use_up(admission.make_cookie())
