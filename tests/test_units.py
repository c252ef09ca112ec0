"""The units and their files: each directive is stated here, so that the loss of any directive fails a test.

The tables repeat the files on purpose: a change of a unit is a decision, and is made in two places. Other tests run the
files: systemd reads the units, polkit's rule is evaluated, the programs accept their arguments.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

HOUSE = Path(__file__).resolve().parent.parent
SYSTEMD = HOUSE / "systemd"

Unit = dict[str, dict[str, str | list[str]]]

# The limits of both services. `systemd-analyze security` gives them a score; here they are stated line by line.
CLOSED: dict[str, str | list[str]] = {
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "ProtectProc": "invisible",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "RemoveIPC": "yes",
    "UMask": "0077",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "KeyringMode": "private",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "SystemCallErrorNumber": "EPERM",
    "DevicePolicy": "closed",
    "PrivateDevices": "yes",
    "PrivateUsers": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
}
# systemd always starts a service again that ends: no person at a kiosk types `systemctl reset-failed`. `exec` and no
# WatchdogSec: the programs do not tell systemd that they are ready or make progress.
RUNS: dict[str, str | list[str]] = {
    "Type": "exec",
    "Restart": "always",
    "RestartSec": "2",
    "TimeoutStopSec": "10",
    "StateDirectoryMode": "0700",
    "Environment": "PYTHONUNBUFFERED=1",
}
UNITS: dict[str, Unit] = {
    "nfc-kiosk.service": {
        "Unit": {
            "Description": "NFC check-in kiosk",
            "Documentation": "file:/opt/nfc-kiosk/docs/install.md",
            # pcscd is wanted and not required: a kiosk with a reader of another kind has none. The unit waits neither
            # for the network nor for the right time.
            "After": "pcscd.socket",
            "Wants": "pcscd.socket",
            "StartLimitIntervalSec": "0",
        },
        "Service": {
            **RUNS,
            **CLOSED,
            "ExecStart": "/opt/nfc-kiosk/.venv/bin/kiosk run --config /etc/nfc-kiosk/config.toml",
            "User": "nfc-kiosk",
            "Group": "nfc-kiosk",
            "StateDirectory": "nfc-kiosk",
            # The socket of kiosk page-url is in it, and the browser's user reaches it by the group.
            "RuntimeDirectory": "nfc-kiosk",
            "RuntimeDirectoryMode": "0750",
            "ConfigurationDirectory": "nfc-kiosk",
            "ConfigurationDirectoryMode": "0750",
            "WorkingDirectory": "/var/lib/nfc-kiosk",
            "MemoryMax": "256M",
            "TasksMax": "128",
        },
        "Install": {"WantedBy": "multi-user.target"},
    },
    "nfc-kiosk-central.service": {
        "Unit": {
            "Description": "NFC check-in kiosk: the central service",
            "Documentation": "file:/opt/nfc-kiosk/docs/install.md",
            # Its clock decides the day. No Wants: a time server without an answer must not prevent the start.
            "After": "time-sync.target",
            "StartLimitIntervalSec": "0",
        },
        "Service": {
            **RUNS,
            **CLOSED,
            "ExecStart": "/opt/nfc-kiosk/.venv/bin/kiosk-central run"
            " --database sqlite:////var/lib/nfc-kiosk-central/central.db --listen 127.0.0.1:8000",
            "User": "nfc-kiosk-central",
            "Group": "nfc-kiosk-central",
            "StateDirectory": "nfc-kiosk-central",
            "WorkingDirectory": "/var/lib/nfc-kiosk-central",
            "MemoryMax": "896M",
            "LimitNOFILE": "16384",
            "TasksMax": "128",
            # The kiosk cannot have it: the kiosk needs the id of the boot, which is under /proc/sys.
            "ProcSubset": "pid",
            # The proxy in front of it is on this machine.
            "IPAddressDeny": "any",
            "IPAddressAllow": "localhost",
        },
        "Install": {"WantedBy": "multi-user.target"},
    },
}


def lines(name: str) -> list[str]:
    """The lines of a file without comments and empty lines."""
    texts = (line.strip() for line in (SYSTEMD / name).read_text("utf-8").splitlines())
    return [text for text in texts if text and not text.startswith("#")]


def unit(name: str) -> Unit:
    """A unit's directives by section. A repeated directive has all its values, in their order."""
    parsed: Unit = {}
    section = ""
    for line in lines(name):
        if line.startswith("["):
            section = line.strip("[]")
            parsed[section] = {}
            continue
        key, _, value = line.partition("=")
        before = parsed[section].get(key)
        if before is None:
            parsed[section][key] = value
        else:
            parsed[section][key] = [*([before] if isinstance(before, str) else before), value]
    return parsed


def test_every_file_has_its_test():
    assert {path.name for path in SYSTEMD.iterdir()} == {
        *UNITS,
        "nfc-kiosk.sysusers",
        "nfc-kiosk.tmpfiles",
        "nfc-kiosk.modprobe",
        "nfc-kiosk-browser.sh",
        "70-nfc-kiosk.rules",
        "50-nfc-kiosk.polkit.js",
    }


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_has_these_directives_and_no_others(name: str):
    assert unit(name) == UNITS[name]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_program_of_this_project_with_arguments_that_it_takes(name: str):
    program, *arguments = shlex.split(str(UNITS[name]["Service"]["ExecStart"]))
    scripts = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert Path(program).name in scripts
    # With --help at the end the program reads its arguments, and starts nothing.
    installed = HOUSE / ".venv/bin" / Path(program).name
    read = subprocess.run([installed, *arguments, "--help"], capture_output=True, text=True, timeout=60)
    assert (read.returncode, read.stdout.startswith("Usage: ")) == (0, True), read.stderr
    for option in (argument for argument in arguments if argument.startswith("--")):
        assert option in read.stdout


def test_each_service_runs_as_a_user_of_its_own_at_home_in_its_state_and_unable_to_log_in():
    users = {}
    for line in lines("nfc-kiosk.sysusers"):
        kind, name, id_, _, home, *shell = shlex.split(line)
        assert (kind, id_, shell) == ("u", "-", []), "no fixed id, and sysusers' own shell: nologin"
        users[name] = home
    assert users == {
        str(parts["Service"]["User"]): f"/var/lib/{parts['Service']['StateDirectory']}" for parts in UNITS.values()
    }


def test_the_configuration_is_roots_to_write_and_the_kiosks_to_read():
    assert [line.split() for line in lines("nfc-kiosk.tmpfiles")] == [
        ["d", "/etc/nfc-kiosk", "0750", "root", "nfc-kiosk", "-"],
        ["z", "/etc/nfc-kiosk/config.toml", "0640", "root", "nfc-kiosk", "-"],
    ]


def test_the_kernels_own_drivers_are_kept_off_the_readers():
    assert lines("nfc-kiosk.modprobe") == [
        f"install {module} /bin/true" for module in ("pn533", "pn533_usb", "port100")
    ]


# Not the group: the browser's user is a member of it.
OWNED = {"OWNER=": "nfc-kiosk", "MODE=": "0600"}
USB_READER = {"SUBSYSTEM==": "usb", "ENV{DEVTYPE}==": "usb_device", **OWNED, "ATTR{power/control}=": "on"}


def test_the_readers_that_nfcpy_drives_are_the_kiosks_users_and_stay_awake():
    rules = [dict(re.findall(r'([\w{}/]+[=+!]?=)"([^"]*)"', line)) for line in lines("70-nfc-kiosk.rules")]
    assert rules == [
        {"ACTION!=": "add|change", "GOTO=": "nfc_kiosk_end"},
        {**USB_READER, "ATTRS{idVendor}==": "072f", "ATTRS{idProduct}==": "2200"},
        {**USB_READER, "ATTRS{idVendor}==": "054c", "ATTRS{idProduct}==": "06c1"},
        {
            "SUBSYSTEM==": "tty",
            "SUBSYSTEMS==": "usb",
            "ATTRS{idVendor}==": "10c4|0403|1a86",
            "ATTRS{idProduct}==": "ea60|6001|7523",
            **OWNED,
            "SYMLINK+=": "ttyPN532",
        },
        {"LABEL=": "nfc_kiosk_end"},
    ]


PCSC, CARD = "org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card"


@pytest.mark.parametrize(
    ("action", "user", "result"),
    [
        (PCSC, "nfc-kiosk", "yes"),
        (CARD, "nfc-kiosk", "yes"),
        (PCSC, "nfc-kiosk-central", None),
        (CARD, "somebody", None),
        ("org.freedesktop.systemd1.manage-units", "nfc-kiosk", None),
    ],
)
def test_polkit_lets_the_kiosk_alone_reach_pcscd_and_nothing_else(
    page: Page, action: str, user: str, result: str | None
):
    rule = (SYSTEMD / "50-nfc-kiosk.polkit.js").read_text("utf-8")
    assert page.evaluate(EVALUATE, [rule, action, user]) == result


# polkit evaluates its rules in a JavaScript engine; here a browser's does.
EVALUATE = """([text, action, user]) => {
    let rule;
    const polkit = { Result: { YES: "yes" }, addRule: (added) => { rule = added; } };
    eval(text);
    return rule({ id: action }, { user: user }) ?? null;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def test_the_installation_names_where_each_file_goes():
    document = (HOUSE / "docs/install.md").read_text("utf-8")
    for path in SYSTEMD.iterdir():
        assert path.name in document
        goes_to = re.search(r"^(?:#|//) (/(?:etc|usr)/\S+):", path.read_text("utf-8"))
        if goes_to is not None:
            place = Path(goes_to.group(1))
            assert str(place) in document or (place.name == path.name and f"{place.parent}/" in document)


@pytest.mark.parametrize(("name", "most"), [("nfc-kiosk.service", 12), ("nfc-kiosk-central.service", 11)])
def test_a_unit_stays_as_closed_as_it_was_built(name: str, most: int, tool: str):
    scored = subprocess.run(
        [tool, "security", "--offline=true", f"--threshold={most}", "--no-pager", SYSTEMD / name],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert scored.returncode == 0, scored.stdout[-400:] + scored.stderr


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line_of_a_unit(name: str, tool: str, tmp_path: Path):
    # The programs are not installed here, and verify checks them: a copy of the unit names an installed program.
    copy = tmp_path / name
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", (SYSTEMD / name).read_text("utf-8"), flags=re.MULTILINE)
    copy.write_text(text, "utf-8")
    verified = subprocess.run([tool, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60)
    mine = [line for line in verified.stderr.splitlines() if name in line]
    assert (verified.returncode, mine) == (0, [])


@pytest.fixture
def tool() -> str:
    """systemd-analyze. It is no part of the product, so a machine without systemd skips, in CI too."""
    if (found := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not on this machine")
    return found
