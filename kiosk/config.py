"""`config.toml`, read once into frozen objects. An unknown key or a wrong value is an error that names it."""

import ipaddress
import tomllib
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

DEFAULT_STORE = "/var/lib/nfc-kiosk/kiosk.db"


class ConfigError(ValueError):
    """The file cannot be used; the message says what to change, for the person who edits it."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class KioskSection(_Section, frozen=True, kw_only=True):
    """What this kiosk would like to be called and to do. The centre decides at enrolment."""

    id: str = ""
    name: str = ""
    ticket_prefix: str = ""
    actions: tuple[str, ...] = ()


class StoreSection(_Section, frozen=True, kw_only=True):
    """Where the database lies; keys, token and control socket lie beside it."""

    path: str = DEFAULT_STORE


class WebSection(_Section, frozen=True, kw_only=True):
    """Where the touch screen's page is served: loopback only."""

    listen: str = "127.0.0.1:8080"


class CentralSection(_Section, frozen=True, kw_only=True):
    """Where the centre is. `plain_http` allows http:// to a host that is not this one, in so many words."""

    url: str = ""
    token_file: str = ""
    plain_http: bool = False


class ReaderSection(_Section, frozen=True, kw_only=True):
    """One reader. `name`: the PC/SC reader (all, when absent); `path`: nfcpy's device path; `cards`: a JSON file of
    demo cards for a simulated reader."""

    kind: Literal["pcsc", "nfcpy", "simulated"]
    name: str | None = None
    path: str | None = None
    cards: str | None = None


class FlowSection(_Section, frozen=True, kw_only=True):
    """The actions that a tap does by itself, as far as the rules allow them."""

    auto: tuple[str, ...] = ("scan_nfc",)


class DisplaySection(_Section, frozen=True, kw_only=True):
    """The screen's real size, so that a millimetre on it is one: diagonal in inches, resolution in pixels; and how
    high above the floor its lower edge is, in millimetres, so that the low layout is within reach."""

    diagonal_in: float = 21.5
    resolution: tuple[int, int] = (1080, 1920)
    bottom_mm: float = 900.0


class Config(_Section, frozen=True, kw_only=True):
    """The whole file."""

    kiosk: KioskSection = KioskSection()
    store: StoreSection = StoreSection()
    web: WebSection = WebSection()
    central: CentralSection = CentralSection()
    reader: tuple[ReaderSection, ...] = (ReaderSection(kind="pcsc"),)
    flow: FlowSection = FlowSection()
    display: DisplaySection = DisplaySection()

    @property
    def store_path(self) -> Path:
        """The kiosk's database."""
        return Path(self.store.path)

    @property
    def token_path(self) -> Path:
        """The file with this kiosk's token (0600)."""
        return Path(self.central.token_file) if self.central.token_file else self._beside(".token")

    @property
    def keys_path(self) -> Path:
        """The file with the site's card keys (0600)."""
        return self._beside(".keys")

    @property
    def listen(self) -> tuple[str, int]:
        """Host and port of the page."""
        return parse_listen(self.web.listen)

    def _beside(self, ending: str) -> Path:
        return self.store_path.with_name(self.store_path.name + ending)


def read_config(path: Path) -> Config:
    """The configuration in a file. Raises ConfigError, whose message names the file and what is wrong in it."""
    try:
        document = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return check_config(document, str(path))


def check_config(document: object, origin: str) -> Config:
    """The configuration in a parsed document. Raises ConfigError."""
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_in_toml(str(error))}") from error
    for fault in _faults(config):
        raise ConfigError(f"{origin}: {fault}")
    return config


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8080" or "[::1]:8080". Raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"expected HOST:PORT, got {text[:80]!r}")
    return host.strip("[]"), int(port)


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def check_central_url(url: str, plain_http: bool) -> str:
    """The centre's base URL without its trailing slash. Raises ConfigError where it is none, or would send the token
    in clear over a network."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"not a URL: {url[:200]!r}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigError(f"not a URL of the form https://host[:port]: {url[:200]!r}")
    if parts.scheme == "http" and not is_loopback(parts.hostname) and not plain_http:
        raise ConfigError("plain http would send the token in clear: use https, or set [central] plain_http = true")
    return url.rstrip("/")


def _faults(config: Config) -> list[str]:
    faults = []
    try:
        host, _ = config.listen
        if not is_loopback(host):
            faults.append(f"[web] listen: the touch screen is served on loopback only, not on {host}")
        if config.central.url:
            check_central_url(config.central.url, config.central.plain_http)
    except ConfigError as error:
        faults.append(str(error))
    for number, reader in enumerate(config.reader, 1):
        if reader.kind == "nfcpy" and not reader.path:
            faults.append(f'[[reader]] number {number}: kind = "nfcpy" needs a path, such as "tty:S0:pn532"')
        if reader.cards and reader.kind != "simulated":
            faults.append(f"[[reader]] number {number}: cards is for simulated readers only")
    if not 3 <= config.display.diagonal_in <= 120 or min(config.display.resolution) < 200:
        faults.append("[display]: diagonal_in is in inches (3 to 120), resolution in pixels (from 200)")
    if not 0 <= config.display.bottom_mm <= 1200:
        faults.append("[display] bottom_mm: the lower edge is 0 to 1200 mm above the floor")
    return faults


def _in_toml(message: str) -> str:
    """msgspec speaks of objects and `$.web`; people who write TOML know keys and sections."""
    return (
        message.replace("Object contains unknown field", "unknown key")
        .replace("Object missing required field", "missing key")
        .replace(" - at `$.", " in `")
        .replace(" - at `$`", "")
    )
