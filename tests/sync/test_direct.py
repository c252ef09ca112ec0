"""A program on the centre's own machine is told from a request through a proxy."""

import pytest

from sync.direct import is_direct, is_forwarded

PLAIN = ("Host", "User-Agent", "Accept")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000", "127.0.0.1"])
def test_a_program_on_this_machine_is_direct(peer: str, host: str):
    assert is_direct(peer, "http", host, PLAIN)


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "fe80::1", "", "unix:"])
def test_another_machine_is_not(peer: str):
    assert not is_direct(peer, "http", "127.0.0.1:8000", PLAIN)


@pytest.mark.parametrize(
    "name", ["Forwarded", "Via", "X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Whatever", "X-Real-IP"]
)
def test_a_header_of_a_proxy_shows(name: str):
    assert is_forwarded([*PLAIN, name])
    assert not is_direct("127.0.0.1", "http", "127.0.0.1:8000", [*PLAIN, name])


@pytest.mark.parametrize(
    "host", ["checkin.hospital.example", "192.0.2.7:8000", "", "localhost.example", "127.0.0.1.example"]
)
def test_a_proxy_without_such_a_header_shows_by_the_public_host(host: str):
    assert not is_direct("127.0.0.1", "http", host, PLAIN)


def test_a_connection_over_tls_may_have_been_passed_on():
    assert not is_direct("127.0.0.1", "https", "127.0.0.1:8000", PLAIN)
