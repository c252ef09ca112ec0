"""Which addresses of the centre need what before they are served."""

from __future__ import annotations

import pytest

from sync.central.network.exposure import Exposure, exposure
from sync.central.network.web_settings import WebSettings

PROXY = WebSettings("https://checkin.example", ("10.0.0.1/32",))
OTHERS = ["0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0", "::ffff:192.0.2.1"]
NO_PROXY = WebSettings()


def found(address: str, web: WebSettings = NO_PROXY, *, certificate: bool = False, insecure: bool = False) -> object:
    return exposure(address, web, has_certificate=certificate, insecure=insecure)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_loopback_needs_nothing(address: str):
    assert found(address) is Exposure.THIS_MACHINE
    assert found(address, insecure=True) is Exposure.THIS_MACHINE
    assert found(address, PROXY) is Exposure.THIS_MACHINE


@pytest.mark.parametrize("address", OTHERS)
def test_any_other_address_needs_one_of_three_ways(address: str):
    assert found(address) is None
    assert found(address, PROXY) is Exposure.PROXY
    assert found(address, certificate=True) is Exposure.OWN_TLS
    assert found(address, insecure=True) is Exposure.NOTHING


@pytest.mark.parametrize(
    "web",
    [
        WebSettings("https://checkin.example"),
        WebSettings("", ("10.0.0.1/32",)),
        WebSettings("http://checkin.example", ("10.0.0.1/32",)),
    ],
)
def test_half_a_proxy_protects_nothing(web: WebSettings):
    assert found("0.0.0.0", web) is None


def test_a_certificate_counts_before_all_and_consent_before_a_proxy():
    assert found("0.0.0.0", PROXY, certificate=True, insecure=True) is Exposure.OWN_TLS
    # Who consents wants other machines answered beside the proxy too.
    assert found("0.0.0.0", PROXY, insecure=True) is Exposure.NOTHING
