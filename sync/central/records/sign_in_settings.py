"""How people sign in, as the site keeps it: when sessions end, and the provider of single sign-on. One row."""

import msgspec

from sync.central.records.account_sessions import Lasting
from sync.central.records.duties import Duty
from sync.central.store.transactions import ReadTransaction, WriteTransaction


class Provider(msgspec.Struct, frozen=True):
    """A provider of OpenID Connect. `duties` has the duties of each value of the claim that names a person's groups."""

    issuer: str
    client_id: str
    client_secret: str = ""
    label: str = ""  # of the button; empty: general words
    claim: str = "groups"
    duties: dict[str, tuple[Duty, ...]] = {}
    scopes: tuple[str, ...] = ("openid", "profile")


class SignInSettings(msgspec.Struct, frozen=True):
    """The settings. A session ends `end_hours` after its beginning, and `idle_minutes` after the last press."""

    idle_minutes: int = 60
    end_hours: int = 12
    provider: Provider | None = None

    @property
    def lasting(self) -> Lasting:
        """How long a session lasts."""
        return Lasting(self.end_hours * 3_600_000, self.idle_minutes * 60_000)


_document = msgspec.json.Decoder(SignInSettings)


def read_sign_in_settings(db: ReadTransaction) -> SignInSettings:
    """The stored settings; the defaults where none were stored."""
    row = db.row("select document from sign_in_settings")
    return _document.decode(row["document"]) if row else SignInSettings()


def write_sign_in_settings(db: WriteTransaction, settings: SignInSettings) -> None:
    """Stores the settings, in place of earlier ones."""
    db.execute(
        "insert into sign_in_settings values (1, :document)"
        " on conflict (id) do update set document = excluded.document",
        {"document": msgspec.json.encode(settings).decode()},
    )
