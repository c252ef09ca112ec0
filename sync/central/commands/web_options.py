"""The options of `run` and `site` that say how the centre is reached from outside."""

from collections.abc import Callable
from typing import Any

import click

from sync.central.services.web_settings import WebSettingsError, origin, proxy_network, public_url


def web_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options `public_url`, `trusted_proxies` and `allowed_origins`. A bad value ends it."""
    for option in (_origins, _proxies, _url):
        command = option(command)
    return command


def _reading(read: Callable[[str], str]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Reads what was typed. An empty text stays: it empties what `site` keeps."""

    def callback(_: click.Context, __: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(each and read(each) for each in value)
            return value and read(value)
        except WebSettingsError as error:
            raise click.BadParameter(str(error)) from error

    return callback


_url = click.option(
    "--public-url",
    metavar="URL",
    callback=_reading(public_url),
    help="The URL under which apps reach the centre: pages of it may open sockets.",
)
_proxies = click.option(
    "--trusted-proxy",
    "trusted_proxies",
    metavar="ADDR[/NET]",
    multiple=True,
    callback=_reading(proxy_network),
    help="Believe the X-Forwarded headers of this proxy; repeatable.",
)
_origins = click.option(
    "--allow-origin",
    "allowed_origins",
    metavar="ORIGIN",
    multiple=True,
    callback=_reading(origin),
    help="Let pages and apps of this origin call the centre; repeatable.",
)
