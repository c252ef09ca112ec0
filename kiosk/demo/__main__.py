"""`python -m kiosk.demo run` is `make run`, `python -m kiosk.demo story` is `make demo`."""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
import requests

from kiosk.demo import hospital, story
from kiosk.demo.hospital import DemoError, Places
from kiosk.demo.staff import DemoStaff, welcome
from kiosk.signals import StopSignal
from sync.control import ControlError, NotRunning

CHECK_S = 1.0  # how often both programs are checked to be running


@click.group()
def main() -> None:
    """A small invented hospital on this machine."""


@main.command()
@click.option("--central-port", type=click.IntRange(1, 65535), default=8000, show_default=True, envvar="CENTRAL_PORT")
@click.option("--kiosk-port", type=click.IntRange(1, 65535), default=8080, show_default=True, envvar="KIOSK_PORT")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The directory of databases and logs.")
@click.option("--fresh", is_flag=True, help="First delete the files of earlier runs.")
def run(central_port: int, kiosk_port: int, data: Path | None, fresh: bool) -> None:
    """Run centre and kiosk until Ctrl-C. Every PC/SC reader is attached, and a simulated one."""
    stop_signal = StopSignal()
    places = Places(data or _data_home() / "nfc-kiosk-demo", central_port, kiosk_port)
    with ExitStack() as running:
        try:
            _prepare(places, fresh)
            programs, people = _start(places, running)
            page_url, staff = hospital.page_url(places), welcome(places)
        except (DemoError, ControlError, NotRunning, OSError) as error:
            raise click.ClickException(str(error)) from error
        click.echo(_what_to_try(places, people, page_url, staff))
        while not stop_signal.wait(CHECK_S):
            if dead := [program.name for program in programs if program.process.poll() is not None]:
                raise click.ClickException(f"the {dead[0]} ended unexpectedly; the logs are in {places.directory}")
        click.echo("\nstopping")


@main.command("story")
@click.option("--keep", is_flag=True, help="Keep the directory with databases and logs.")
def play_story(keep: bool) -> None:
    """Play a story: taps, a cut network, the return. Exit code 0 only if centre and kiosk agree at the end."""
    directory = Path(tempfile.mkdtemp(prefix="nfc-kiosk-story-"))
    try:
        succeeded = story.play(directory)
    except (DemoError, ControlError, NotRunning, requests.RequestException, OSError) as error:
        click.echo(f"the databases and logs are in {directory}", err=True)
        raise click.ClickException(str(error)) from error
    if keep or not succeeded:
        click.echo(f"the databases and logs are in {directory}")
    else:
        hospital.remove(directory)
    raise SystemExit(not succeeded)


def _prepare(places: Places, fresh: bool) -> None:
    if fresh and places.directory.exists():
        hospital.remove(places.directory)
    places.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if places.central_port == places.kiosk_port:
        raise DemoError("centre and kiosk need different ports: KIOSK_PORT= and CENTRAL_PORT= choose them")
    for port in (places.central_port, places.kiosk_port):
        hospital.demand_free(port)


def _start(places: Places, running: ExitStack) -> tuple[list[hospital.Program], list[hospital.Person]]:
    hospital.write_config(places, places.central_url, ["simulated", "pcsc"])
    central = hospital.start_central(places)
    running.callback(central.stop)
    central.await_health()
    people = hospital.fill(places)
    hospital.enrol(places, places.central_url)
    kiosk = hospital.start_kiosk(places)
    running.callback(kiosk.stop)
    kiosk.await_health()
    return [central, kiosk], people


def _what_to_try(places: Places, people: list[hospital.Person], page_url: str, staff: DemoStaff) -> str:
    programs = Path(sys.executable).parent
    programs = programs.relative_to(Path.cwd()) if programs.is_relative_to(Path.cwd()) else programs
    first = people[0]
    return f"""
  the kiosk's touch screen   {page_url}
  the pages of staff         {places.central_url}/staff/
                             sign in as {staff.login} with the password {staff.password}
  the centre's API           {places.central_url}/api/v1/
  databases and logs         {places.directory}

Try it:
  - Open the touch screen in a browser and hold a card to the simulated reader: the strip at its top.
    A real PC/SC reader is attached as soon as pcscd sees it.
  - Its address opens one browser, within ten minutes. This prints another:
      {programs}/kiosk page-url --config {places.config}
  - Or from a second terminal:
      {programs}/kiosk tap --config {places.config} {first.uid}
      {programs}/kiosk status --config {places.config}
  - Open the board of the pages of staff beside it: a patient who has confirmed is in the line at once. Call them there,
    and tap the card again.

Ctrl-C stops both."""


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


if __name__ == "__main__":
    main(prog_name="python -m kiosk.demo")
