"""config.toml: the example shows every key with its default, and an error names the section and the key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.config import (
    CardFormSection,
    Config,
    ConfigError,
    FlowSection,
    ReaderSection,
    check_central_url,
    check_config,
    is_loopback,
    parse_listen,
    read_config,
)

EXAMPLE = Path(__file__).parent.parent.parent / "config.example.toml"


def write(directory: Path, text: str) -> Path:
    path = directory / "config.toml"
    path.write_text(text, "utf-8")
    return path


def fault(document: object) -> str:
    """Returns the error of a document. Fails where there is none."""
    with pytest.raises(ConfigError) as found:
        check_config(document, "config.toml")
    message = str(found.value)
    assert message.startswith("config.toml: ")
    return message.removeprefix("config.toml: ")


A_FORM = {"atr": "3B8980014A434F50............", "technology": "iso14443a"}
ARRAYS = {"reader": (ReaderSection, {"kind": "pcsc"}), "card_form": (CardFormSection, A_FORM)}

# The example.


def test_the_example_loads_and_is_what_an_empty_file_says():
    assert read_config(EXAMPLE) == Config() == check_config({}, "empty")


def test_the_example_shows_every_key_of_every_section_and_says_what_it_is_for():
    text = EXAMPLE.read_text("utf-8")
    for section in msgspec.structs.fields(Config):
        header = f"[[{section.name}]]" if section.name in ARRAYS else f"[{section.name}]"
        block = re.split(rf"\n(?:# )?{re.escape(header)}\n", text)[1].split("\n[")[0]
        kind = ARRAYS[section.name][0] if section.name in ARRAYS else type(section.default)
        for key in msgspec.structs.fields(kind):
            line = re.search(rf"^(# )?{key.name} = .*$", block, re.MULTILINE)
            assert line, f"{header} {key.name}"
            above = block[: line.start()].rstrip().rsplit("\n", 1)[-1]
            assert "#" in line.group().split("=", 1)[1] or above.startswith("#"), f"{header} {key.name} says nothing"


def test_the_lines_of_the_example_that_are_commented_out_are_good_ones():
    text = EXAMPLE.read_text("utf-8")
    uncommented = re.sub(r"^# (url =|name =|atr =|technology =|\[\[card_form\]\])", r"\1", text, flags=re.MULTILINE)
    assert uncommented != text
    config = check_config(tomllib.loads(uncommented), "example")
    assert config.central.url.startswith("https://")
    assert config.reader[0].name
    assert config.card_form == (CardFormSection(**A_FORM),)


# Files.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[kiosk", "not TOML"),
        (b"\xff\xfe", "not TOML"),
        (b"a = " + b"[" * 10_000, "not TOML"),
        (b"[kiosk]\n[kiosk]\n", "not TOML"),
        (b"# " + b"x" * (1024 * 1024), "larger than"),
    ],
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as found:
        read_config(path)
    assert str(path) in str(found.value)


@pytest.mark.parametrize("name", ["none.toml", ".", "file/config.toml"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path))):
        read_config(tmp_path / name)


def test_a_file_without_end_is_cut_off():
    with pytest.raises(ConfigError, match="larger than"):
        read_config(Path("/dev/zero"))


# Unknown keys and wrong values, each with its name.

SECTIONS = ["kiosk", "store", "web", "central", "flow", "display"]


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_is_named_with_its_section(section: str):
    assert fault({section: {"colour": 1}}) == f"[{section}] colour: unknown key"


def test_an_unknown_section_and_an_unknown_key_of_a_reader_are_named():
    assert fault({"colour": 1}) == "[colour]: unknown section"
    readers = [{"kind": "pcsc"}, {"kind": "simulated", "colour": 1}]
    assert fault({"reader": readers}) == "[[reader]] number 2 colour: unknown key"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "expected sections, got list"),
        ({"kiosk": []}, "[kiosk]: expected a table, got list"),
        ({"kiosk": {"id": 3}}, "[kiosk] id: Expected `str`, got `int`"),
        ({"kiosk": {"name": True}}, "[kiosk] name: Expected `str`, got `bool`"),
        ({"kiosk": {"ticket_prefix": 1.5}}, "[kiosk] ticket_prefix: Expected `str`, got `float`"),
        ({"kiosk": {"actions": "scan_nfc"}}, "[kiosk] actions: Expected `array`, got `str`"),
        ({"kiosk": {"actions": [1]}}, "[kiosk] actions: Expected `str`, got `int` - at `$[0]`"),
        ({"store": {"path": ""}}, "[store] path: not the path of a file: ''"),
        ({"store": {"path": "a\0b"}}, "[store] path: not the path of a file"),
        ({"store": {"path": "/var/lib/"}}, "[store] path: not the path of a file: '/var/lib/'"),
        ({"web": {"listen": 8080}}, "[web] listen: Expected `str`, got `int`"),
        ({"web": {"listen": "8080"}}, "[web] listen: expected HOST:PORT, got '8080'"),
        ({"web": {"page_socket": "a\0b"}}, "[web] page_socket: not the path of a socket"),
        ({"web": {"page_socket": "/run/"}}, "[web] page_socket: not the path of a socket: '/run/'"),
        (
            {"web": {"page_socket": "/k/k.db"}, "store": {"path": "/k/k.db"}},
            "[web] page_socket: that is the path of the database or of its control socket",
        ),
        (
            {"web": {"page_socket": "/k/k.db.sock"}, "store": {"path": "/k/k.db"}},
            "[web] page_socket: that is the path of the database or of its control socket",
        ),
        ({"web": {"listen": "0.0.0.0:8080"}}, "[web] listen: the touch screen is served on loopback only"),
        ({"web": {"listen": "example.org:80"}}, "[web] listen: the touch screen is served on loopback only"),
        ({"central": {"url": "ftp://x"}}, "[central] url: expected a URL"),
        ({"central": {"url": "http://hospital.example"}}, "[central] url: plain http would send the token in clear"),
        ({"central": {"token_file": "a\0b"}}, "[central] token_file: not the path of a file"),
        ({"central": {"ca_file": "a\0b"}}, "[central] ca_file: not the path of a file"),
        ({"central": {"client_cert": "a\0b"}}, "[central] client_cert: not the path of a file"),
        ({"central": {"client_key": "/k.pem"}}, "[central] client_key: it needs client_cert"),
        ({"central": {"proxy_login_file": "/login"}}, "[central] proxy_login_file: it needs proxy"),
        ({"central": {"proxy": "proxy.example:3128"}}, "[central] proxy: expected http://host:port"),
        ({"central": {"proxy": "https://proxy.example:3128"}}, "[central] proxy: expected http://host:port"),
        ({"central": {"proxy": "http://proxy.example"}}, "[central] proxy: expected http://host:port"),
        ({"central": {"proxy": "http://proxy.example:99999"}}, "[central] proxy: expected http://host:port"),
        ({"central": {"proxy": "http://proxy.example:3128/x"}}, "[central] proxy: expected http://host:port"),
        (
            {"central": {"url": "http://127.0.0.1:8000", "proxy": "http://proxy.example:3128"}},
            "[central] url: plain http would send the token in clear",
        ),
        ({"central": {"plain_http": 1}}, "[central] plain_http: Expected `bool`, got `int`"),
        ({"reader": {"kind": "pcsc"}}, "[[reader]]: expected an array of tables, got dict"),
        ({"reader": ["pcsc"]}, "[[reader]] number 1: expected a table, got str"),
        ({"reader": [{}]}, "[[reader]] number 1 kind: missing key"),
        ({"card_form": A_FORM}, "[[card_form]]: expected an array of tables, got dict"),
        ({"card_form": [{"atr": "3B80800101"}]}, "[[card_form]] number 1 technology: missing key"),
        ({"card_form": [A_FORM | {"id": 1}]}, "[[card_form]] number 1 id: unknown key"),
        (
            {"card_form": [A_FORM, A_FORM | {"technology": "iso14443b"}]},
            "[[card_form]] number 2 technology: Invalid enum",
        ),
        ({"card_form": [A_FORM | {"atr": ""}]}, "[[card_form]] number 1 atr: expected 5 to 33 bytes in hex"),
        ({"card_form": [A_FORM | {"atr": "3B8180018"}]}, "[[card_form]] number 1 atr: expected 5 to 33 bytes"),
        ({"card_form": [A_FORM | {"atr": "3B81800180.x"}]}, "[[card_form]] number 1 atr: expected 5 to 33 bytes"),
        ({"card_form": [A_FORM | {"atr": "3B" * 34}]}, "[[card_form]] number 1 atr: expected 5 to 33 bytes"),
        ({"card_form": [A_FORM | {"atr": "3B..8001........"}]}, "[[card_form]] number 1 atr: the first four bytes"),
        (
            {"card_form": [A_FORM | {"atr": "3B898001...................."}]},
            "[[card_form]] number 1 atr: the first four",
        ),
        ({"reader": [{"kind": "rfid"}]}, "[[reader]] number 1 kind: Invalid enum value 'rfid'"),
        ({"reader": [{"kind": "pcsc", "name": 1}]}, "[[reader]] number 1 name: Expected `str | null`, got `int`"),
        ({"reader": [{"kind": "nfcpy"}]}, '[[reader]] number 1: kind = "nfcpy" needs a path'),
        ({"reader": [{"kind": "nfcpy", "path": "x", "name": "y"}]}, "[[reader]] number 1: name is for PC/SC"),
        ({"reader": [{"kind": "pcsc", "path": "x"}]}, "[[reader]] number 1: path is for nfcpy readers only"),
        ({"reader": [{"kind": "pcsc"}, {"kind": "pcsc"}]}, "[[reader]] numbers 1 and 2: both could be the same reader"),
        ({"reader": [{"kind": "pcsc"}, {"kind": "pcsc", "name": "ACR"}]}, "[[reader]] numbers 1 and 2: both could"),
        (
            {"reader": [{"kind": "pcsc", "name": "ACR1252"}, {"kind": "simulated"}, {"kind": "pcsc", "name": "R12"}]},
            "[[reader]] numbers 1 and 3: both could be the same reader; give each a name",
        ),
        (
            {"reader": [{"kind": "nfcpy", "path": "usb"}, {"kind": "nfcpy", "path": "usb:054c:06c1"}]},
            "[[reader]] numbers 1 and 2: both could be the same reader; give each a path of its own",
        ),
        ({"reader": [{"kind": "pcsc", "cards": "x"}]}, "[[reader]] number 1: cards is for simulated readers only"),
        ({"flow": {"auto": "scan_nfc"}}, "[flow] auto: Expected `bool | array`, got `str`"),
        ({"flow": {"auto": [True]}}, "[flow] auto: Expected `str`, got `bool` - at `$[0]`"),
        ({"display": {"diagonal_in": "21"}}, "[display] diagonal_in: Expected `float`, got `str`"),
        ({"display": {"diagonal_in": 0}}, "[display] diagonal_in: expected inches"),
        ({"display": {"diagonal_in": float("nan")}}, "[display] diagonal_in: expected inches"),
        ({"display": {"diagonal_in": float("inf")}}, "[display] diagonal_in: expected inches"),
        ({"display": {"resolution": [1080]}}, "[display] resolution: Expected `array` of length 2, got 1"),
        ({"display": {"resolution": [1080.5, 1920]}}, "[display] resolution: Expected `int`, got `float` - at `$[0]`"),
        ({"display": {"resolution": [0, 1920]}}, "[display] resolution: expected pixels"),
        ({"display": {"resolution": [1080, 10**30]}}, "[display] resolution: expected pixels"),
        ({"display": {"bottom_mm": -1}}, "[display] bottom_mm: expected millimetres"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(document: object, message: str):
    assert fault(document).startswith(message)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(msgspec.structs.fields(Config)), st.data())
def test_any_value_of_any_key_is_taken_or_refused_in_one_line(section: Any, data: st.DataObject):
    kind, others = ARRAYS.get(section.name, (type(section.default), {}))
    key = data.draw(st.sampled_from([f.name for f in msgspec.structs.fields(kind)]))
    row = {key: data.draw(ANYTHING)}
    document = {section.name: [{**others, **row}] if section.name in ARRAYS else row}
    try:
        message = f"{section.name} is fine: {check_config(document, 'config.toml').listen}"
    except ConfigError as error:
        message = str(error)
    assert section.name in message
    assert len(message) < 500


# The values.


def test_keys_and_token_lie_beside_the_database_unless_told_otherwise():
    beside = check_config({"store": {"path": "/srv/k.db"}}, "x")
    assert (beside.store_path, beside.keys_path, beside.token_path) == (
        Path("/srv/k.db"),
        Path("/srv/k.db.keys"),
        Path("/srv/k.db.token"),
    )
    assert check_config({"central": {"token_file": "/run/token"}}, "x").token_path == Path("/run/token")


def test_the_pages_socket_is_where_the_browsers_user_can_reach_it():
    assert Config().page_socket_path == Path("/run/nfc-kiosk/page.sock")
    beside = check_config({"store": {"path": "/home/me/kiosk.db"}}, "x")
    assert beside.page_socket_path == Path("/home/me/kiosk.db.page.sock")
    elsewhere = check_config({"store": {"path": "/home/me/kiosk.db"}, "web": {"page_socket": "/run/k/page.sock"}}, "x")
    assert elsewhere.page_socket_path == Path("/run/k/page.sock")
    assert beside.page_key_path == elsewhere.page_key_path == Path("/home/me/kiosk.db.pagekey")


@pytest.mark.parametrize("atr", ["3b89 8001 4a43 4f50 ....", "3B80800101", "3B8180018080"])
def test_a_form_of_cards_is_taken_in_any_case_and_with_spaces(atr: str):
    (form,) = check_config({"card_form": [A_FORM | {"atr": atr}]}, "x").card_form
    assert form.pattern == atr.upper().replace(" ", "")


def test_without_readers_named_every_pcsc_reader_is_taken_and_an_empty_list_is_none():
    assert Config().reader == (ReaderSection(kind="pcsc"),)
    assert check_config({"reader": []}, "x").reader == ()


GRANTS = ("scan_nfc", "register", "confirm_arrival")


@pytest.mark.parametrize(
    ("auto", "actions"),
    [
        (False, ("scan_nfc",)),
        (True, GRANTS),
        (["register"], ("register",)),
        (["scan_nfc", "make_payment"], ("scan_nfc", "make_payment")),
        ([], ()),
    ],
)
def test_what_a_tap_does_by_itself_is_nothing_but_the_visit_everything_granted_or_a_list(auto: object, actions: object):
    assert check_config({"flow": {"auto": auto}}, "x").flow.automatic(GRANTS, "scan_nfc") == actions


def test_unless_told_otherwise_a_tap_only_opens_the_visit():
    assert FlowSection().automatic(frozenset(GRANTS), "hold_card") == ("hold_card",)
    assert set(FlowSection(auto=True).automatic(frozenset(GRANTS), "scan_nfc")) == set(GRANTS)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("::1:80", ("::1", 80)),
    ],
)
def test_host_and_port_are_told_apart(text: str, parsed: tuple[str, int]):
    assert parse_listen(text) == parsed
    assert is_loopback(parsed[0])


@pytest.mark.parametrize(
    "text", ["", ":80", "[]:80", "host", "host:", "host:-1", "host:65536", "host:" + "9" * 5000, "host:٨٠", "host:0x50"]
)
def test_what_is_no_host_and_port_is_refused(text: str):
    with pytest.raises(ConfigError, match="expected HOST:PORT"):
        parse_listen(text)


@pytest.mark.parametrize(
    "host", [None, "", "example.org", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org"]
)
def test_what_is_not_this_machine_is_no_loopback(host: str | None):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "plain_http", "base"),
    [
        ("https://checkin.hospital.example", False, "https://checkin.hospital.example"),
        ("https://checkin.hospital.example:8443/", False, "https://checkin.hospital.example:8443"),
        ("https://hospital.example/checkin/", False, "https://hospital.example/checkin"),
        ("http://127.0.0.1:8000", False, "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", False, "http://[::1]:8000"),
        ("http://localhost:8000", False, "http://localhost:8000"),
        ("http://10.0.0.5:8000", True, "http://10.0.0.5:8000"),
    ],
)
def test_the_centre_is_reached_by_https_or_on_this_machine_or_in_so_many_words(url: str, plain_http: bool, base: str):
    assert check_central_url(url, plain_http) == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hospital.example",
        "//hospital.example",
        "ws://hospital.example",
        "https://",
        "https://:443",
        "https://user@hospital.example",
        "https://user:secret@hospital.example",
        "https://:secret@hospital.example",
        "https://hospital.example?token=secret",
        "https://hospital.example#top",
        "https://hospital.example:port",
        "https://hospital.example:99999",
        "https://[::1",
        "https://hos pital.example",
        "https://hospital.example\n",
        "https://hospital.example\\@evil.example",
        "https://" + "x" * 100_000 + ":x",
    ],
)
def test_what_is_no_usable_url_is_refused_without_being_quoted_since_it_may_hold_a_password(url: str):
    with pytest.raises(ConfigError, match="expected a URL") as found:
        check_central_url(url, plain_http=True)
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    ("paths", "could_meet"),
    [
        (("usb:054c:06c1", "usb:054C:06C1"), True),
        (("usb:054c:06c1", "usb:001:005"), True),
        (("usb:054c", "usb:054c:06c1"), True),
        (("usb:001:005", "usb:001:006"), False),
        (("usb:054c:06c1", "usb:054c:06c3"), False),
        (("tty:S0:pn532", "tty:S0"), True),
        (("tty:S0:pn532", "tty:S0:arygon"), True),
        (("tty:S0:pn532", "tty:ttyS0:pn532"), True),
        (("tty:USB:pn532", "tty:USB1:pn532"), True),
        (("tty::pn532", "tty:AMA0:pn532"), True),
        (("tty:USB0:pn532", "tty:USB1:pn532"), False),
        (("tty:S0:pn532", "tty:S01:pn532"), False),
        (("tty:PN532:pn532", "usb"), False),
        (("udp", "udp:localhost:54321"), True),
    ],
)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_two_paths_that_could_be_one_device_are_an_error(paths: tuple[str, str], could_meet: bool, turned: bool):
    readers = [{"kind": "nfcpy", "path": path} for path in (paths[::-1] if turned else paths)]
    if could_meet:
        with pytest.raises(ConfigError, match="numbers 1 and 2: both could be the same reader"):
            check_config({"reader": readers}, "here")
    else:
        assert len(check_config({"reader": readers}, "here").reader) == 2


def test_a_password_in_the_proxys_url_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as refused:
        check_config({"central": {"proxy": "http://user:s3cret@proxy.example:3128"}}, "config.toml")
    assert "user and password go into proxy_login_file" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "http://10.1.2.3:8080/", "http://[fd00::1]:3128"])
def test_a_proxy_is_a_host_and_a_port(proxy: str):
    assert check_config({"central": {"proxy": proxy}}, "config.toml").central.proxy == proxy
