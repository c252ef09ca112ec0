"""The command for the card keys: `card-keys`."""

from collections.abc import Mapping
from typing import Any

import click

from sync.central.commands.options import Database, as_json_option, line, on_database, print_json
from sync.central.maintenance.rotation_steps import Step
from sync.clock import iso

_IN_WORDS = {
    Step.ADD: "each card gets its hash under the new key",
    Step.PUBLISH: "the new key goes to the kiosks",
    Step.TEXTS: "waiting actions and the history get the new hashes",
    Step.DROP: "the hashes under older keys go",
}


@click.command("card-keys")
@on_database
@click.argument("act", metavar="[rotate]", type=click.Choice(["rotate"]), required=False)
@as_json_option
def card_keys(database: Database, act: str | None, as_json: bool) -> None:
    """List the card keys, or rotate them. No secret is shown.

    With `rotate` each stored card gets a hash under a new key, and each kiosk gets the key. A rotation that was
    interrupted goes on with the same command, or by itself in the running service. Revoke a stolen kiosk first:
    every other one gets the new key. Then back up the key file.

    \b
    Examples:
      kiosk-central card-keys --database sqlite:///central.db
      kiosk-central card-keys rotate --database sqlite:///central.db
    """
    with line(database, create=False) as ask:
        if act:
            ask("card-keys-begin")
        found = ask("card-keys")
        while act and found["step"] != Step.DONE:
            if not as_json:
                click.echo(_progress(found), err=True)
            found = ask("card-keys-walk")
    if as_json:
        print_json(found)
        return
    for each in found["keys"]:
        click.echo(_line(each))
    click.echo(_kiosks_in_words(found))
    if found["step"] != Step.DONE:
        click.echo("a rotation is under way; it goes on by itself while the service runs")


COMMANDS: tuple[click.Command, ...] = (card_keys,)


def _progress(found: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{each['stored']} cards under {each['key_id']}" for each in found["keys"] if each["stored"])
    return f"{_IN_WORDS[Step(found['step'])]}: {counts or 'no card is stored'}"


def _line(key: Mapping[str, Any]) -> str:
    words = [key["key_id"], f"since {iso(key['since_ms'], 'UTC')}", f"{key['stored']} cards stored"]
    if key["published_ms"] is None:
        words.append("kiosks do not have it yet")
    return "  ".join(words)


def _kiosks_in_words(found: Mapping[str, Any]) -> str:
    newest, known = found["keys"][-1]["key_id"], {each["key_id"] for each in found["keys"]}
    late = [each["kiosk_id"] for each in found["kiosks"] if each["key_id"] in known - {newest} | {None}]
    ahead = [each["kiosk_id"] for each in found["kiosks"] if each["key_id"] not in known | {None}]
    lines = [f"{len(found['kiosks']) - len(late) - len(ahead)} of {len(found['kiosks'])} kiosks have {newest}"]
    lines += [f"not yet: {', '.join(late)}"] * bool(late)
    lines += [f"with a key that this centre does not have: {', '.join(ahead)}"] * bool(ahead)
    return "\n".join(lines)
