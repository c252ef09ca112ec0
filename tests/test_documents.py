"""The documents agree with the programs: documented things exist, and existing things are documented."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from flask import Flask

from kiosk.cli import main as kiosk
from kiosk.config import Config, ReaderSection
from sync.central.commands.main import cli as kiosk_central
from sync.central.gateway.gateway import SHARES
from sync.central.gateway.pace import BURST_S
from sync.central.kiosks.enrolment import FAILURES_OF_ONE
from sync.central.kiosks.lookup import MOST_A_MINUTE
from sync.central.opening import open_centre
from sync.central.services.current_state import AppointmentDetail, CurrentState, QueueDetail
from sync.central.services.error_codes import CODES
from sync.central.services.errors import ErrorBody
from sync.central.services.lists import MAX_ROWS
from sync.central.services.queue import QueueRow, Search
from sync.central.web.app import create_app
from sync.central.web.socket_messages import CLOSE_CODES
from sync.central.web.socket_places import MAX_SOCKETS, SOCKETS_OF_A_TOKEN, SocketPlaces
from sync.journey.model import RefusalCode

HOUSE = Path(__file__).resolve().parent.parent
DOCUMENTS = {path.name: path.read_text("utf-8") for path in (HOUSE / "README.md", *(HOUSE / "docs").glob("*.md"))}
PROGRAMS: dict[str, click.Command] = {"kiosk": kiosk, "kiosk-central": kiosk_central}


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, by their full names."""
    yield name, command
    if isinstance(command, click.Group):
        for word, below in subcommands(command).items():
            yield from commands(f"{name} {word}", below)


def subcommands(group: click.Group) -> dict[str, click.Command]:
    """The commands of a group, which may load them when they are asked for."""
    context = click.Context(group)
    found = {word: group.get_command(context, word) for word in group.list_commands(context)}
    return {word: command for word, command in found.items() if command is not None}


COMMANDS = {name: command for program, root in PROGRAMS.items() for name, command in commands(program, root)}
LEAVES = {name: command for name, command in COMMANDS.items() if not isinstance(command, click.Group)}


# docs/commands.md, which has a section for each command.


def rows(section: str) -> dict[str, tuple[str, str]]:
    """The option or argument of each row of a section's table: its default and its text."""
    found = re.findall(r"^\| `(.+?)` \| (?:`(.+?)`|(required)|) ?\| (.+) \|$", section, re.MULTILINE)
    return {usage.replace("\\|", "|"): (default or required, text) for usage, default, required, text in found}


def sections(level: str) -> dict[str, str]:
    """The text under each heading of that level, up to the next heading."""
    parts = re.split(r"^(#{1,3}) `?(.+?)`?$", DOCUMENTS["commands.md"], flags=re.MULTILINE)[1:]
    return {
        name: text for marks, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True) if marks == level
    }


def documented(command: str) -> dict[str, str]:
    """The documented options of a command with their defaults: from its own table and that of its program."""
    shared = rows(sections("##")[command.split()[0]])
    name = command.split(" ", 1)[1]
    own = {usage: default for usage, (default, text) in shared.items() if f"but `{name}`" not in text}
    return own | {usage: default for usage, (default, _) in rows(sections("###")[command]).items()}


def taken(command: click.Command) -> dict[str, str]:
    """The options of a command, in the spelling of the page."""
    found = {}
    for parameter in command.params:
        metavar = parameter.metavar or _metavar(parameter)
        words = [max(parameter.opts, key=len)] if isinstance(parameter, click.Option) else []
        if not (isinstance(parameter, click.Option) and parameter.is_flag):
            words.append(metavar)
        default = "required" if parameter.required else _default(parameter)
        found[" ".join(words)] = default
    return found


def _metavar(parameter: click.Parameter) -> str:
    match parameter.type:
        case click.Choice() as choice:
            return f"[{'|'.join(choice.choices)}]"
        case click.types.FuncParamType() | click.File() | click.Path():
            return str(parameter.name).upper()
        case click.IntRange():
            return "INTEGER"
        case _ if isinstance(parameter, click.Argument):
            return str(parameter.name).upper()
        case kind:
            return kind.name.upper()


def _default(parameter: click.Parameter) -> str:
    shown = isinstance(parameter.default, str | int) and not isinstance(parameter.default, bool)
    # A value of a flag's group is no default.
    return str(parameter.default) if shown and not getattr(parameter, "is_flag", False) else ""


def test_every_command_has_its_section_and_every_section_its_command():
    assert set(sections("###")) == set(LEAVES)
    assert set(PROGRAMS) <= set(sections("##"))


@pytest.mark.parametrize("name", LEAVES)
def test_a_commands_section_names_every_option_and_argument_with_its_default_and_no_other(name: str):
    assert documented(name) == taken(LEAVES[name])


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_changelog_lists_every_command(program: str):
    listed = re.search(rf"`{program} ([a-z-]+(?:\s\|\s+[a-z-]+)+)`", (HOUSE / "CHANGELOG.md").read_text("utf-8"))
    assert listed is not None
    root = PROGRAMS[program]
    assert isinstance(root, click.Group)
    assert set(re.findall(r"[a-z-]+", listed[1])) == set(subcommands(root))


# Commands that are named anywhere in the documents, and the examples of the help.


def code_lines(text: str) -> list[str]:
    """The code spans of a document, and the lines of its blocks of shell."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [*spans, *(line for block in blocks for line in block.splitlines())]


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each command of ours in the code of a document."""
    for line in code_lines(text):
        words = line.split("#")[0].replace("\\|", "|").split()
        programs = [number for number, word in enumerate(words) if Path(word).name in PROGRAMS]
        # In a line of systemctl or sudo they are names of units and users: the program comes last.
        is_command = programs and (programs[0] == 0 or words[0] == "sudo")
        if is_command and not words[programs[-1]].endswith(".service"):
            yield [Path(words[programs[-1]]).name, *words[programs[-1] + 1 :]]


NAMED = [(name, words) for name, text in DOCUMENTS.items() for words in command_lines(text)]


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words begin with, and the rest of them."""
    command, rest = PROGRAMS[words[0]], words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        below = subcommands(command)
        assert rest[0] in below, f"{' '.join(words)}: there is no such command"
        command, rest = below[rest[0]], rest[1:]
    return command, rest


def test_the_documents_name_commands():
    assert {name for name, _ in NAMED} >= {"README.md", "install.md", "api.md", "commands.md"}
    assert len(NAMED) > 40


@pytest.mark.parametrize(
    ("document", "words"), NAMED, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_command_that_a_document_names_exists_and_takes_the_options_named(document: str, words: list[str]):
    command, rest = find_command(words)
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    assert [word for word in re.findall(r"--[a-z-]+", " ".join(rest)) if word not in options] == []


def examples(command: click.Command) -> list[str]:
    """The command lines under `Example:` or `Examples:` in a command's help."""
    text = f"{command.help or ''}\n{command.epilog or ''}"
    found = re.search(r"^ *Examples?:\n((?: +\S.*\n?)+)", text.replace("\b\n", ""), re.MULTILINE)
    return [line.strip() for line in found.group(1).splitlines()] if found else []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_examples_that_it_takes(name: str):
    found = examples(COMMANDS[name])
    assert found, f"{name} --help has no example"
    for line in found:
        words = shlex.split(line.split(" < ")[0])
        command, rest = find_command(words)
        assert f"{' '.join(words)} ".startswith(f"{name} ")
        assert read_arguments(command, rest) == []


def read_arguments(command: click.Command, words: list[str]) -> list[str]:
    """The required parameters that a command line lacks, by click's parser, without a look at files."""
    values, rest, _ = command.make_parser(click.Context(command)).parse_args(words)
    assert rest == []
    return [parameter.name for parameter in command.params if parameter.required and not values.get(parameter.name)]


# The centre's routes.


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    centre = open_centre(f"sqlite:///{tmp_path_factory.mktemp('centre')}/centre.db")
    yield create_app(centre, SocketPlaces(1))
    centre.store.close()


INTERFACES = DOCUMENTS["api.md"] + DOCUMENTS["protocol.md"]


def routes(app: Flask) -> set[tuple[str, str]]:
    """Method and path of each route of the centre; the socket's is GET."""
    return {
        (method, re.sub(r"<\w+:", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in {"HEAD", "OPTIONS"} and rule.endpoint != "static"
    }


def documented_routes() -> set[tuple[str, str]]:
    """Method and path of each route that the documents of the interfaces name with its method."""
    found = re.findall(r"`(GET|POST|PATCH|PUT|DELETE) (/[^`\s?]*)", INTERFACES)
    sockets = re.findall(r"^`(/ws/[^`\s]*)`", INTERFACES, re.MULTILINE)
    return {*found, *(("GET", path) for path in sockets)}


def older_spelling(path: str) -> str:
    """The path with hyphens where docs/api.md allows underscores too."""
    return re.sub(r"(current|perform)_(state|action)", r"\1-\2", path)


def test_every_route_of_the_centre_for_programs_is_documented_and_every_documented_route_exists(app: Flask):
    pages = ("/staff/", "/page/")  # for people, with what they load
    served = {(method, older_spelling(path)) for method, path in routes(app) if not path.startswith(pages)}
    assert served == documented_routes()


# The words of the interface.


def error_codes() -> set[str]:
    """Every code that the centre gives an error: in an ApiError, as a refusal of the rules, or for a status."""
    found: set[str] = set(RefusalCode)
    for path in (HOUSE / "sync/central").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ApiError":
                found |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    return found | {"method_not_allowed", "internal"}


def test_every_code_of_an_error_is_documented_and_every_documented_code_exists():
    table = re.findall(r"^\| [45]\d\d(?:, \d+)? \| (.+?) \|", DOCUMENTS["api.md"], re.MULTILINE)
    assert {code for cell in table for code in re.findall(r"`(\w+)`", cell)} == error_codes() == set(CODES)


@pytest.mark.parametrize("answer", [CurrentState, QueueDetail, AppointmentDetail, QueueRow, Search, ErrorBody])
def test_every_field_of_an_answer_is_documented(answer: type[msgspec.Struct]):
    fields = set(answer.__struct_fields__)
    assert {field for field in fields if not re.search(rf"[`\"&?]{field}[`\"=]", DOCUMENTS["api.md"])} == set()


def test_the_limits_of_the_interface_are_those_of_the_code():
    mib = 1024 * 1024
    limits = [
        f"| {SHARES.calls_a_second:.0f} a second, {SHARES.calls_a_second * BURST_S:.0f} at once |",
        f"| {SHARES.waiting} | 503 `busy` |",
        f"| {SHARES.body_bytes // mib} MiB, {SHARES.body_bytes_of_an_address // mib} of one address |",
        f"| {SHARES.connections}, {SHARES.of_an_address} of one address |",
        f"| {MAX_SOCKETS:,}, {SOCKETS_OF_A_TOKEN} with one token |",
        f"| {MOST_A_MINUTE} a minute | 503 `try_later`",
        f"| {FAILURES_OF_ONE} a minute | 503 `try_later`",
        f"| rows of a list | {MAX_ROWS} |",
    ]
    assert [limit for limit in limits if limit not in DOCUMENTS["api.md"]] == []


def test_the_close_codes_of_the_socket_are_documented():
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", DOCUMENTS["api.md"].partition("| close code |")[2], re.MULTILINE
    )
    named = {int(code) for cell in rows for code in re.findall(r"\b[14]\d{3}\b", cell)}
    assert named == {each.code for each in CLOSE_CODES}


# Other names in the documents.


def test_every_setting_that_a_document_names_exists():
    named = {found for text in DOCUMENTS.values() for found in re.findall(r"`\[+(\w+)\]+ (\w+)", text)}
    sections_of = {section.name: section for section in msgspec.structs.fields(Config)}
    assert {section for section, _ in named} <= {*sections_of, "Service"}
    for section, key in named - {("Service", "Type")}:
        kind = ReaderSection if section == "reader" else type(sections_of[section].default)
        assert key in kind.__struct_fields__, f"[{section}] {key}"


def test_every_make_target_that_a_document_names_exists():
    targets = set(re.findall(r"^([a-z-]+):.*##", (HOUSE / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = [line for text in DOCUMENTS.values() for line in code_lines(text)]
    named = {target for line in code for target in re.findall(r"(?:^|&& )make ([a-z-]+)", line)}
    assert named <= targets
    assert named >= {"run", "test", "demo", "bench"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_of_this_project_that_a_document_names_exists(document: str):
    named = re.findall(r"`((?:kiosk|sync|hardware|tests|docs|systemd|\.ci)/[\w./-]*)`", DOCUMENTS[document])
    assert [path for path in named if not (HOUSE / path).exists()] == []


def test_the_map_has_a_line_for_every_folder():
    folders = {path.parent.relative_to(HOUSE) for name in PACKAGES for path in (HOUSE / name).rglob("__init__.py")}
    unnamed = {f"{folder}" for folder in folders if f"{folder}/" not in DOCUMENTS["README.md"]}
    assert unnamed <= {"sync", *BESIDE}


PACKAGES = ("hardware", "sync", "kiosk")
BESIDE = {"sync/central/commands"}  # shares a line with sync/central/operations
