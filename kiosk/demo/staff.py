"""A person of staff of the demo hospital, with every duty, for the centre's pages."""

import secrets
from dataclasses import dataclass, field

import requests

from kiosk.demo.hospital import DemoError, Places, ask_central

LOGIN = "demo"
_DUTIES = ("exam_room", "reception", "administrator")
_PATIENCE_S = 30


@dataclass(frozen=True)
class DemoStaff:
    """What to type at the sign-in."""

    login: str
    password: str = field(repr=False)


def welcome(places: Places) -> DemoStaff:
    """The person, whose account is made at the first start. Raises DemoError."""
    file = places.directory / "staff-password"
    if any(each["login"] == LOGIN for each in ask_central(places, "accounts")["people"]):
        return DemoStaff(LOGIN, file.read_text("utf-8").strip() if file.exists() else "the one that you chose")
    made = DemoStaff(LOGIN, secrets.token_hex(6))
    file.touch(mode=0o600)
    file.write_text(f"{made.password}\n", "utf-8")
    code = ask_central(places, "account-invite", duties=list(_DUTIES), name="")["code"]
    answer = requests.post(
        f"{places.central_url}/api/v1/welcome/",
        json={"code": code, "login": made.login, "name": "데모 직원", "password": made.password},
        headers={"Origin": places.central_url},
        timeout=_PATIENCE_S,
    )
    if not answer.ok:
        raise DemoError(f"the centre made no account for staff: {answer.text}")
    return made
