"""How an address of the centre keeps tokens and patients' data from crossing a network in clear."""

import ipaddress
from enum import Enum

from sync.central.network.web_settings import WebSettings


class Exposure(Enum):
    """What stands between the centre's port and the network."""

    THIS_MACHINE = "no other machine reaches the address"
    OWN_TLS = "the centre itself serves https"
    PROXY = "proxies serve https, and nothing else is answered"
    NOTHING = "the operator accepts that data crosses the network in clear"


def exposure(address: str, web: WebSettings, *, has_certificate: bool, insecure: bool) -> Exposure | None:
    """How the listening IP address is protected, by the web settings in force. None where it is not.

    `insecure` is the operator's consent to a port without protection.
    """
    if has_certificate:
        return Exposure.OWN_TLS
    if _is_loopback(address):
        return Exposure.THIS_MACHINE
    if insecure:
        return Exposure.NOTHING
    return Exposure.PROXY if web.trusted_proxies and web.public_url.startswith("https:") else None


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
