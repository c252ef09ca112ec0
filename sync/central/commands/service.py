"""The command that serves: `run`."""

import logging
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from sync.central.commands.options import Database, on_database
from sync.central.commands.web_options import web_options
from sync.central.frames import Begin
from sync.central.gateway.handover import Predecessor, find_predecessor, handover_path
from sync.central.gateway.listening import host_and_port, listen
from sync.central.gateway.program import Command, started
from sync.central.network.exposure import Exposure, exposure
from sync.central.network.web_settings import WebSettings
from sync.central.records.audit_kinds import KEPT_DAYS
from sync.central.store.place import is_postgresql, place_of
from sync.central.worker.plan import Plan
from sync.logs import log_to_stderr

log = logging.getLogger(__name__)


@click.command()
@on_database
@click.option("--create", is_flag=True, help="Make the database where there is none.")
@click.option("--listen", "address", metavar="HOST:PORT", default="127.0.0.1:8000", show_default=True)
@click.option(
    "--tls-cert",
    metavar="F",
    type=click.Path(path_type=Path),
    help="Serve https with this certificate and its chain, in PEM. A renewed file counts at once.",
)
@click.option(
    "--tls-key",
    metavar="F",
    type=click.Path(path_type=Path),
    help="The certificate's key.  [default: in the file of --tls-cert]",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Serve other machines over http: tokens and patients' data cross the network in clear.",
)
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
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many processes answer requests. More than one needs PostgreSQL.",
)
@click.option(
    "--drain",
    "drain_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="Before a stop, serve on for so long with 503 at /healthz: a load balancer goes to other hosts.",
)
@click.option(
    "--take-over",
    "predecessor",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Take the port over from the service with this state directory, where one runs. It drains, and ends.",
)
@web_options
def run(
    database: Database,
    create: bool,
    address: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure: bool,
    rules: Path | None,
    audit_days: int,
    workers: int,
    drain_s: float,
    predecessor: Path | None,
    public_url: str | None,
    trusted_proxies: tuple[str, ...],
    allowed_origins: tuple[str, ...],
) -> None:
    """Serve until told to stop (SIGTERM or Ctrl-C).

    `kiosk-central site` keeps public URL, proxies and origins too. An option given here wins.

    Other machines are served over https: by --tls-cert, or by a proxy that --trusted-proxy and an https --public-url
    name.

    \b
    Examples:
      kiosk-central run --database sqlite:///central.db --create
      kiosk-central run --database sqlite:///central.db --listen 0.0.0.0:8443 --tls-cert own.pem --tls-key own.key
      kiosk-central run --database postgresql://db.example/hospital --state-dir state
    """
    if tls_key and not tls_cert:
        raise click.UsageError("--tls-key needs --tls-cert, the certificate of the key")
    if workers > 1 and not is_postgresql(database.url):
        raise click.UsageError("--workers needs a database of PostgreSQL: SQLite has one writer, so one worker")
    if predecessor and not is_postgresql(database.url):
        raise click.UsageError("--take-over needs a database of PostgreSQL: two services use it for a while")
    host_and_port(address)
    log_to_stderr()
    plan = Plan(
        url=database.url,
        state_dir=str(database.state_dir) if database.state_dir else None,
        direct=database.direct,
        keys=str(database.keys) if database.keys else None,
        workers=workers,
        create=create,
        definitions=_document(rules) if rules else None,
        audit_days=audit_days,
        web=WebSettings(public_url or "", trusted_proxies, allowed_origins),
        tls_cert=str(tls_cert) if tls_cert else None,
        tls_key=str(tls_key) if tls_key else None,
    )
    with started(Command(*plan.words())) as worker:
        # Imported here: the web server loads while the worker opens and checks the database.
        from sync.central.server import Port, serve
        from sync.central.tls.certificate import ServedCertificate

        heard = worker.hear()
        web = heard.web
        certificate = ServedCertificate(tls_cert, tls_key) if tls_cert else None
        found = _predecessor(database, predecessor, heard.incarnation) if predecessor else None
        listener = found.listener if found else listen(address)
        host, port = listener.getsockname()[:2]
        protection = exposure(host, web, has_certificate=certificate is not None, insecure=insecure)
        if protection is None:
            raise click.UsageError(_UNPROTECTED.format(address=address))
        if protection is Exposure.NOTHING:
            log.warning("--insecure: tokens and patients' data cross the network in clear at %s", address)
        scheme = "https" if certificate else "http"
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

        def begun() -> None:
            click.echo(f"kiosk-central listens on {url}")
            if found:
                found.tell()

        again = replace(plan, create=False)
        programs = [Command(*replace(again, place=place).words()) for place in range(workers)]
        begin = Begin(web, proxies_only=protection is Exposure.PROXY)
        handover = handover_path(database.place.state) if is_postgresql(database.url) else None
        served = Port(listener, begun, handover, heard.incarnation, drain_s)
        if not serve(served, programs, certificate, begin, first=worker):
            raise click.ClickException("the service did not start")


def _predecessor(database: Database, state_dir: Path, incarnation: str) -> Predecessor | None:
    """The service with this state directory; None where there is none. Raises NotGiven."""
    return find_predecessor(handover_path(place_of(database.url, state_dir).state), incarnation)


def _document(rules: Path) -> dict[str, Any]:
    from sync.central.records.definitions import definitions_from_file  # few sites have rules of their own

    return dict(definitions_from_file(rules).document)


_UNPROTECTED = (
    "other machines reach {address}, where tokens and patients' data would cross the network in clear: give --tls-cert,"
    " or --trusted-proxy with an https --public-url, or --insecure"
)
