"""The command that serves: `run`."""

from pathlib import Path

import click

from sync.central.commands.options import on_database
from sync.central.commands.web_options import web_options
from sync.central.opening import open_centre
from sync.central.records.audit import KEPT_DAYS
from sync.central.records.definitions import definitions_from_file
from sync.central.records.web_settings import WebSettings
from sync.journey.definitions import shipped
from sync.logs import log_to_stderr


@click.command()
@on_database
@click.option("--create", is_flag=True, help="Make the database where there is none.")
@click.option("--listen", "address", metavar="HOST:PORT", default="127.0.0.1:8000", show_default=True)
@click.option(
    "--definitions",
    "rules",
    metavar="F",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A site's own rules of the journey, in TOML.  [default: those of the program]",
)
@click.option(
    "--audit-days",
    metavar="DAYS",
    type=click.IntRange(min=1),
    default=KEPT_DAYS,
    show_default=True,
    help="How long the audit is kept.",
)
@web_options
def run(
    url: str,
    keys: Path | None,
    create: bool,
    address: str,
    rules: Path | None,
    audit_days: int,
    public_url: str | None,
    trusted_proxies: tuple[str, ...],
    allowed_origins: tuple[str, ...],
) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C).

    `kiosk-central site` keeps public URL, proxies and origins too. An option given here wins.

    \b
    Examples:
      kiosk-central run --database sqlite:///central.db --create
      kiosk-central run --database sqlite:////var/lib/nfc-kiosk-central/central.db --listen 0.0.0.0:8000
    """
    # Imported here: the other commands are many and short, and need no web server.
    from sync.central.server import listen, serve
    from sync.central.worker import Worker

    log_to_stderr()
    definitions = definitions_from_file(rules) if rules else shipped()
    # Opened and closed once before the fork, so that a fault of the database ends the command with one line.
    open_centre(url, keys, definitions, create=create).store.close()
    listener = listen(address)
    host, port = listener.getsockname()[:2]
    click.echo(f"kiosk-central listens on http://{f'[{host}]' if ':' in host else host}:{port}")
    web = WebSettings(public_url or "", trusted_proxies, allowed_origins)
    serve(listener, lambda: Worker(url, keys, definitions, audit_days, web))


COMMANDS: tuple[click.Command, ...] = (run,)
