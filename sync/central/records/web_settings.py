"""How the centre is reached: its public URL, the proxies that it believes, and the origins of apps. One row."""

from dataclasses import dataclass

import msgspec

from sync.central.store.transactions import ReadTransaction, WriteTransaction

_texts = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class WebSettings:
    """`public_url` is empty where none is set. `trusted_proxies` are networks, `allowed_origins` exact origins."""

    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()


def read_web_settings(db: ReadTransaction) -> WebSettings:
    """The stored settings; the defaults where none were stored."""
    row = db.row("select public_url, trusted_proxies, allowed_origins from web_settings")
    return WebSettings(row[0], _texts.decode(row[1]), _texts.decode(row[2])) if row else WebSettings()


def write_web_settings(db: WriteTransaction, settings: WebSettings) -> None:
    """Stores the settings, in place of earlier ones."""
    db.execute(
        "insert into web_settings values (1, :public_url, :trusted_proxies, :allowed_origins)"
        " on conflict (id) do update set public_url = excluded.public_url,"
        " trusted_proxies = excluded.trusted_proxies, allowed_origins = excluded.allowed_origins",
        {
            "public_url": settings.public_url,
            "trusted_proxies": msgspec.json.encode(settings.trusted_proxies).decode(),
            "allowed_origins": msgspec.json.encode(settings.allowed_origins).decode(),
        },
    )
