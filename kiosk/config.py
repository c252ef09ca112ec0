"""`config.toml`, read once into frozen objects. An unknown key or a wrong value is an error that names it."""

import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from kiosk.addresses import ConfigError, check_central_url, is_loopback, is_proxy, parse_listen
from sync.database_file import real_path
from sync.tables import misfits

DEFAULT_STORE = "/var/lib/nfc-kiosk/kiosk.db"
DEFAULT_PAGE_SOCKET = "/run/nfc-kiosk/page.sock"  # the unit's directory, which its group may enter
MAX_FILE = 1024 * 1024


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class KioskSection(_Section, frozen=True, kw_only=True):
    """What this kiosk asks for at enrolment; the centre decides. `actions` holds kinds of kiosk and actions, by their
    names in the centre's definitions. In the mode `desk` every card is for the card desk, and checks nobody in."""

    id: str = ""
    name: str = ""
    ticket_prefix: str = ""
    actions: tuple[str, ...] = ()
    mode: Literal["check_in", "desk"] = "check_in"


class StoreSection(_Section, frozen=True, kw_only=True):
    """Where the database is. Keys, token and control socket are in the same directory."""

    path: str = DEFAULT_STORE


class WebSection(_Section, frozen=True, kw_only=True):
    """Where the touch screen's page is served, on loopback only, and the socket where its browser asks to be let in."""

    listen: str = "127.0.0.1:8080"
    page_socket: str = ""


class CentralSection(_Section, frozen=True, kw_only=True):
    """Where the centre is, and how a connection to it is made. Paths are PEM files, read at each connection.

    `plain_http` allows http:// to another host than this one. `ca_file` replaces the system's store. `client_key` may
    be empty where `client_cert` holds the key. `proxy_login_file` holds the proxy's user:password.
    """

    url: str = ""
    token_file: str = ""
    plain_http: bool = False
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    proxy: str = ""
    proxy_login_file: str = ""


class ReaderSection(_Section, frozen=True, kw_only=True):
    """One reader. `name`: the PC/SC reader (None: all of them). `path`: nfcpy's device path. `cards`: a JSON file of
    demo cards for a simulated reader."""

    kind: Literal["pcsc", "nfcpy", "simulated"]
    name: str | None = None
    path: str | None = None
    cards: str | None = None


class CardFormSection(_Section, frozen=True, kw_only=True):
    """A form of cards that this kiosk accepts besides those that it knows. `atr`: hex, where `..` is any byte."""

    atr: str
    technology: Literal["iso14443a", "felica", "iso15693"]

    @property
    def pattern(self) -> str:
        """The ATR in upper-case hex without spaces."""
        return self.atr.replace(" ", "").upper()


class FlowSection(_Section, frozen=True, kw_only=True):
    """The automatic actions of a tap, where the rules allow them.

    True: every action that this kiosk is granted. False: the action that opens the visit. A list: those actions.
    """

    auto: bool | tuple[str, ...] = False

    def automatic(self, grants: Iterable[str], tap: str) -> tuple[str, ...]:
        """Returns the automatic actions of a tap at a kiosk with these grants. `tap` opens the visit."""
        if isinstance(self.auto, bool):
            return tuple(grants) if self.auto else (tap,)
        return self.auto


class DisplaySection(_Section, frozen=True, kw_only=True):
    """The screen's real size, for true millimetres on it, and its height above the floor, for the low layout.

    The diagonal is in inches, the resolution in pixels. `bottom_mm` is the height of the lower edge above the floor.
    """

    diagonal_in: float = 21.5
    resolution: tuple[int, int] = (1080, 1920)
    bottom_mm: float = 900.0


class VisitSection(_Section, frozen=True, kw_only=True):
    """The centre's public URL, for the QR code with which a telephone opens the visit. "": no code is shown."""

    url: str = ""


class MetricsSection(_Section, frozen=True, kw_only=True):
    """Where Prometheus reads this kiosk's metrics; nowhere without `listen`. Another machine shows the token."""

    listen: str = ""
    token_file: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return parse_listen(self.listen)


class Config(_Section, frozen=True, kw_only=True):
    """The whole configuration."""

    kiosk: KioskSection = KioskSection()
    store: StoreSection = StoreSection()
    web: WebSection = WebSection()
    central: CentralSection = CentralSection()
    reader: tuple[ReaderSection, ...] = (ReaderSection(kind="pcsc"),)
    card_form: tuple[CardFormSection, ...] = ()
    flow: FlowSection = FlowSection()
    display: DisplaySection = DisplaySection()
    visit: VisitSection = VisitSection()
    metrics: MetricsSection = MetricsSection()

    @property
    def store_path(self) -> Path:
        """The kiosk's database: the file itself, where the path is a symbolic link."""
        return real_path(Path(self.store.path))

    @property
    def token_path(self) -> Path:
        """The file (0600) with this kiosk's token. Former tokens follow in it, a line each."""
        return Path(self.central.token_file) if self.central.token_file else self._beside(".token")

    @property
    def keys_path(self) -> Path:
        """The file with the site's card keys (0600)."""
        return self._beside(".keys")

    @property
    def enrolment_path(self) -> Path:
        """The file (0600) with the centre's answer to an enrolment that is not complete."""
        return self._beside(".enrolment")

    @property
    def attempt_path(self) -> Path:
        """The file (0600) with the attempt of an enrolment that the centre has not answered."""
        return self._beside(".attempt")

    @property
    def page_key_path(self) -> Path:
        """The file (0600) with the key that signs the page's cookies."""
        return self._beside(".pagekey")

    @property
    def page_socket_path(self) -> Path:
        """The socket of `kiosk page-url`.

        Only the daemon's user may enter the directory of the installed database, so its socket is elsewhere.
        """
        if self.web.page_socket:
            return Path(self.web.page_socket)
        return Path(DEFAULT_PAGE_SOCKET) if self.store.path == DEFAULT_STORE else self._beside(".page.sock")

    @property
    def listen(self) -> tuple[str, int]:
        """Host and port of the touch screen's page."""
        return parse_listen(self.web.listen)

    def _beside(self, ending: str) -> Path:
        return self.store_path.with_name(self.store_path.name + ending)


def read_config(path: Path) -> Config:
    """Reads the configuration from a file. Raises ConfigError; the message names the file and the fault."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(content) > MAX_FILE:
        raise ConfigError(f"{path}: larger than {MAX_FILE} bytes")
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not TOML: nested too deep") from error
    return check_config(document, str(path))


def check_config(document: object, origin: str) -> Config:
    """Returns the configuration in a parsed document; errors name its `origin`. Raises ConfigError."""
    for fault in _misshapen(document):
        raise ConfigError(f"{origin}: {fault}")
    config = msgspec.convert(document, Config)
    for fault in _faults(config):
        raise ConfigError(f"{origin}: {fault}")
    return config


_ARRAYS: dict[str, type[_Section]] = {"reader": ReaderSection, "card_form": CardFormSection}
_ATR_BYTES = range(5, 34)  # ISO 7816-3 ends an ATR at 33 bytes; the shortest of a contactless card has 5


def _misshapen(document: object) -> Iterator[str]:
    """Returns unknown keys and values of a wrong type, each with its section and key."""
    if not isinstance(document, dict):
        yield f"expected sections, got {type(document).__name__}"
        return
    sections = {field.name: type(field.default) for field in msgspec.structs.fields(Config)}
    for name, section in document.items():
        if name not in sections:
            yield f"[{name!s:.80}]: unknown section"
        elif name not in _ARRAYS:
            yield from _misfits_of(f"[{name}]", sections[name], section)
        elif isinstance(section, list):
            for number, row in enumerate(section, 1):
                yield from _misfits_of(f"[[{name}]] number {number}", _ARRAYS[name], row)
        else:
            yield f"[[{name}]]: expected an array of tables, got {type(section).__name__}"


def _misfits_of(place: str, kind: type[_Section], section: object) -> Iterator[str]:
    if isinstance(section, dict):
        yield from (f"{place} {misfit.key:.80}: {misfit.fault}" for misfit in misfits(kind, section))
    else:
        yield f"{place}: expected a table, got {type(section).__name__}"


def _faults(config: Config) -> Iterator[str]:
    path = config.store.path
    if not path or "\0" in path or path.endswith("/"):
        yield f"[store] path: not the path of a file: {path[:80]!r}"
    try:
        if not is_loopback(config.listen[0]):
            yield f"[web] listen: the touch screen is served on loopback only, not on {config.listen[0][:80]}"
    except ConfigError as error:
        yield f"[web] listen: {error}"
    yield from _page_socket_faults(config)
    try:
        if config.central.url:
            check_central_url(config.central.url, config.central.plain_http, config.central.proxy)
    except ConfigError as error:
        yield f"[central] url: {error}"
    try:
        if config.visit.url:
            check_central_url(config.visit.url, config.central.plain_http)
    except ConfigError as error:
        yield f"[visit] url: {error}"
    yield from _central_faults(config.central)
    for number, reader in enumerate(config.reader, 1):
        yield from (f"[[reader]] number {number}: {fault}" for fault in _reader_faults(reader))
    for number, form in enumerate(config.card_form, 1):
        yield from (f"[[card_form]] number {number} atr: {fault}" for fault in _card_form_faults(form.pattern))
    yield from _overlaps(config.reader)
    yield from _display_faults(config.display)
    yield from _metrics_faults(config.metrics)


def _central_faults(central: CentralSection) -> Iterator[str]:
    for key in ("token_file", "ca_file", "client_cert", "client_key", "proxy_login_file"):
        if "\0" in getattr(central, key):
            yield f"[central] {key}: not the path of a file"
    if central.client_key and not central.client_cert:
        yield "[central] client_key: it needs client_cert, the certificate of the key"
    if central.proxy_login_file and not central.proxy:
        yield "[central] proxy_login_file: it needs proxy"
    if central.proxy and not is_proxy(central.proxy):
        # The message leaves out the text, which may hold a password.
        yield "[central] proxy: expected http://host:port; user and password go into proxy_login_file"


def _page_socket_faults(config: Config) -> Iterator[str]:
    path = config.web.page_socket
    if "\0" in path or path.endswith("/"):
        yield f"[web] page_socket: not the path of a socket: {path[:80]!r}"
    elif path and Path(path) in {config.store_path, config.store_path.with_name(config.store_path.name + ".sock")}:
        yield "[web] page_socket: that is the path of the database or of its control socket"


def _card_form_faults(pattern: str) -> Iterator[str]:
    if not re.fullmatch(r"(?:[0-9A-F]{2}|\.\.)*", pattern) or len(pattern) // 2 not in _ATR_BYTES:
        yield 'expected 5 to 33 bytes in hex, where ".." is any byte, such as "3B8980014A434F50............"'
    elif ".." in pattern[:8] or (len(pattern) > 10 and not pattern[8:-2].replace(".", "")):
        yield "the first four bytes and one more before the last must be given: this would admit cards of every kind"


def _overlaps(readers: Sequence[ReaderSection]) -> Iterator[str]:
    """Names each two entries that could drive one device: the card on it would be two taps."""
    for (one, first), (other, second) in itertools.combinations(enumerate(readers, 1), 2):
        if first.kind == second.kind and _may_share(first, second):
            yield f"[[reader]] numbers {one} and {other}: both could be the same reader; {_TELL_APART[first.kind]}"


def _may_share(first: ReaderSection, second: ReaderSection) -> bool:
    if first.kind == "pcsc":
        names = first.name or "", second.name or ""
        return names[0] in names[1] or names[1] in names[0]
    return first.kind == "nfcpy" and _paths_may_meet(first.path or "", second.path or "")


def _paths_may_meet(first: str, second: str) -> bool:
    """Whether two paths of nfcpy could lead to one device. "usb" is any device that "usb:054c:06c1" can be."""
    (bus, *one), (other_bus, *other) = first.split(":"), second.split(":")
    if bus != other_bus:
        return False
    if bus == "tty":
        return _lines_may_meet(*("".join(parts[:1]).removeprefix("tty") for parts in (one, other)))
    if bus == "usb" and one and other and (len(one[0]) == _USB_ID) != (len(other[0]) == _USB_ID):
        return True  # a maker's device at any place, and a place with any device
    return all(part.lower() == other_part.lower() for part, other_part in zip(one, other, strict=False))


def _lines_may_meet(first: str, second: str) -> bool:
    """Whether two names of serial lines could be one: "USB" is the first of "USB0", "USB1"; no name is any line."""
    if not first or not second or first == second:
        return True
    pairs = (first, second), (second, first)
    return any(kind in _LINES and re.fullmatch(kind + "[0-9]+", line) for kind, line in pairs)


# As nfcpy reads its paths: the first part after "usb" is a maker's number of four digits, or a bus of up to three.
_USB_ID = 4
_LINES = {"S", "ACM", "AMA", "USB"}


_TELL_APART = {
    "pcsc": "give each a name, and none that is part of another's",
    "nfcpy": "give each a path of its own",
}


def _display_faults(display: DisplaySection) -> Iterator[str]:
    if not 3 <= display.diagonal_in <= 120:
        yield "[display] diagonal_in: expected inches, 3 to 120"
    if not all(200 <= pixels <= 20_000 for pixels in display.resolution):
        yield "[display] resolution: expected pixels, 200 to 20000 each way"
    if not 0 <= display.bottom_mm <= 1200:
        yield "[display] bottom_mm: expected millimetres above the floor, 0 to 1200"


def _metrics_faults(metrics: MetricsSection) -> Iterator[str]:
    if "\0" in metrics.token_file:
        yield "[metrics] token_file: not the path of a file"
    try:
        if metrics.listen and not is_loopback(metrics.address[0]) and not metrics.token_file:
            yield "[metrics] token_file: it is needed where listen is no loopback address"
    except ConfigError as error:
        yield f"[metrics] listen: {error}"


def _reader_faults(reader: ReaderSection) -> Iterator[str]:
    if reader.kind == "nfcpy" and not reader.path:
        yield 'kind = "nfcpy" needs a path, such as "tty:S0:pn532"'
    if reader.path and reader.kind != "nfcpy":
        yield "path is for nfcpy readers only"
    if reader.name and reader.kind == "nfcpy":
        yield "name is for PC/SC and simulated readers only"
    if reader.cards and reader.kind != "simulated":
        yield "cards is for simulated readers only"
