"""The web settings that `kiosk-central site` keeps. One row."""

import msgspec

from sync.central.network.web_settings import WebSettings
from sync.central.store.transactions import ReadTransaction, WriteTransaction

_texts = msgspec.json.Decoder(tuple[str, ...])


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
