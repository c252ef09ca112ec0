"""What an X.509 certificate says (RFC 5280, 4.1), read from its DER. Nothing is verified here.

Python shows the content of a certificate only after it has verified it. An error must name one that failed.
"""

import hashlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_OID, _UTC_TIME, _VERSION, _EXTENSIONS = 0x06, 0x17, 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS, _OCTETS = 0x82, 0x87, 0x04
_SAN = bytes.fromhex("551d11")  # 2.5.29.17
_ATTRIBUTES = {bytes.fromhex("550403"): "CN", bytes.fromhex("55040a"): "O", bytes.fromhex("55040b"): "OU"}
_MAX_TEXT = 120


@dataclass(frozen=True, slots=True)
class Certificate:
    """The content of a certificate for people. `names`: the hosts and addresses that it is for."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begin: datetime
    end: datetime
    sha256: str


def read_certificate(der: bytes) -> Certificate:
    """Reads a certificate. Raises ValueError where it is none."""
    try:
        (_, whole), *_ = _items(der)
        (_, signed), *_ = _items(whole)
        parts = [item for item in _items(signed) if item[0] != _VERSION]
        _, _, issuer, validity, subject = parts[:5]
        begin, end = (_time(*moment) for moment in _items(validity[1]))
        extensions = next((content for tag, content in parts[6:] if tag == _EXTENSIONS), b"")
        names = tuple(_names(extensions))
    except (IndexError, ValueError, StopIteration) as error:
        raise ValueError("no certificate") from error
    return Certificate(_name(subject[1]), _name(issuer[1]), names, begin, end, hashlib.sha256(der).hexdigest())


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a DER sequence: tag and content."""
    at = 0
    while at < len(content):
        tag, length = content[at], content[at + 1]
        at += 2
        if length >= 0x80:
            octets = length & 0x7F
            length = int.from_bytes(content[at : at + octets])
            at += octets
        if at + length > len(content):
            raise ValueError("cut off")
        yield tag, content[at : at + length]
        at += length


def _name(content: bytes) -> str:
    found = []
    for _, relative in _items(content):
        for _, attribute in _items(relative):
            (_, oid), (_, value) = _items(attribute)
            if oid in _ATTRIBUTES:
                found.append(f"{_ATTRIBUTES[oid]}={_text(value)}")
    return ", ".join(found) or "without a name"


def _text(value: bytes) -> str:
    """Text for a log and a terminal: a stranger wrote the certificate."""
    shown = "".join(letter for letter in value.decode("utf-8", "replace") if letter.isprintable())
    return shown[:_MAX_TEXT]


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii").removesuffix("Z")
    if tag == _UTC_TIME:  # two digits of the year: 50 to 99 are of the last century
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _names(extensions: bytes) -> Iterator[str]:
    for _, sequence in _items(extensions):
        for _, extension in _items(sequence):
            parts = list(_items(extension))
            if parts[0] != (_OID, _SAN):
                continue
            octets = next(content for tag, content in parts if tag == _OCTETS)
            for _, listed in _items(octets):
                for tag, name in _items(listed):
                    if tag == _DNS_NAME:
                        yield _text(name)
                    elif tag == _IP_ADDRESS:
                        yield str(ipaddress.ip_address(name))
