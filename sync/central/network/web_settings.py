"""How the centre is reached: its public URL, the proxies that it believes, and the origins of apps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebSettings:
    """`public_url` is empty where none is set. `trusted_proxies` are networks, `allowed_origins` exact origins."""

    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
