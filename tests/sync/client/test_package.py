"""The package for npm: packed, installed into a fresh folder, and used from there by Node and by TypeScript."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.components import node, npm, npm_packages
from tests.sync.client.conftest import LiveCentre
from tests.sync.client.types import DOCS, LIBRARY, WrongTypes, declarations, protocol, typescript

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("client")]
PAGES = Path(__file__).with_name("pages")
AGAIN = "python -m tests.sync.client.types writes it again"
PACKAGE = json.loads((LIBRARY / "package.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an app, with the packed library beside the packages of the tests."""
    place = tmp_path_factory.mktemp("app")
    listed = subprocess.run(
        [npm(), "pack", "--json", "--pack-destination", place, LIBRARY], check=True, capture_output=True, text=True
    )
    (packed,) = json.loads(listed.stdout)
    (place / "package.json").write_text('{"private": true, "type": "module"}')
    tarball = place / packed["filename"]
    command = [npm(), "install", "--offline", "--no-audit", "--no-fund", tarball]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    for package in npm_packages().glob("[!.]*"):
        (place / "node_modules" / package.name).symlink_to(package)
    return place


def test_the_types_are_those_of_the_definitions_and_of_the_documents():
    assert (LIBRARY / "protocol.d.ts").read_text("utf-8") == protocol(), AGAIN


def test_the_modules_keep_to_the_types_and_tell_their_own():
    told = declarations()
    assert {path.name for path in LIBRARY.glob("*.d.ts")} == {*told, "protocol.d.ts"}
    for name, text in told.items():
        assert (LIBRARY / name).read_text("utf-8") == text, AGAIN


def test_the_package_has_the_version_and_the_licence_of_the_project():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert (PACKAGE["version"], PACKAGE["license"]) == (project["version"], project["license"])
    assert (LIBRARY / "LICENSE").read_text("utf-8") == (DOCS.parent / "LICENSE").read_text("utf-8")


def test_the_package_holds_every_module_with_its_types_and_nothing_else(folder: Path):
    held = {path.name for path in (folder / "node_modules/nfc-kiosk-client").iterdir()}
    ours = {path.name for path in LIBRARY.iterdir() if path.suffix in (".js", ".ts")}
    assert held == {"package.json", "README.md", "LICENSE", *ours}
    assert {name.replace(".js", ".d.ts") for name in ours if name.endswith(".js")} | {"protocol.d.ts"} == {
        name for name in ours if name.endswith(".d.ts")
    }


def test_the_library_needs_no_other_package(folder: Path):
    needed = re.compile(r'^import .* from "([^."][^"]*)";$', re.MULTILINE)
    modules = (folder / "node_modules/nfc-kiosk-client").glob("*.js")
    assert {name for path in modules for name in needed.findall(path.read_text("utf-8"))} == {"react"}
    assert PACKAGE["peerDependenciesMeta"] == {"react": {"optional": True}}


def test_node_acts_for_a_patient_and_ends_by_itself(folder: Path, live: LiveCentre):
    patient_id, token = live.newcomer()
    shutil.copy(PAGES / "node.mjs", folder)
    url = f"http://{live.process.address}"
    done = subprocess.run([node(), "node.mjs", url, token], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout) == ["ARRIVED", "not_allowed", "ARRIVED"]
    assert live.history(patient_id) == ["scan_nfc"]


def test_an_app_in_strict_typescript_compiles_against_the_package(folder: Path):
    shutil.copy(PAGES / "typed.tsx", folder)
    typescript(folder, "--noEmit", "--jsx", "react-jsx", "typed.tsx")


def test_typescript_tells_each_mistake(folder: Path):
    shutil.copy(PAGES / "untyped.tsx", folder)
    with pytest.raises(WrongTypes) as told:
        typescript(folder, "--noEmit", "--jsx", "react-jsx", "untyped.tsx")
    lines = (PAGES / "untyped.tsx").read_text("utf-8").split("\n")
    mistakes = {number for number, line in enumerate(lines, 1) if line.endswith(";") and not line.startswith("import")}
    assert {int(each) for each in re.findall(r"\((\d+),\d+\): error", str(told.value))} == mistakes
