"""Webhooks, for an operator: add one, list them, change the secret, remove one, and see what was not taken."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from sync.central.centre import Centre
from sync.central.feed.events import EventType
from sync.central.feed.signing import new_secret, shown
from sync.central.operations import TellingOperation
from sync.central.records.audit import note
from sync.central.records.audit_kinds import AuditKind
from sync.central.records.webhooks import (
    Webhook,
    add_webhook,
    count_dead_letters,
    dead_letters,
    read_webhook,
    remove_webhook,
    send_again,
    webhooks,
    write_secrets,
    write_standing,
)
from sync.central.services.lists import MAX_ROWS
from sync.central.services.requester import Requester
from sync.central.services.told import AboutNobody, Telling
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import DAY_MS
from sync.control import ControlError

MOST_WEBHOOKS = 16  # each has a thread
OVERLAP_MS = DAY_MS  # in which the former secret signs too
_MOST_URL = 2000  # characters


def webhook_operations(centre: Centre, operator: Requester) -> dict[str, TellingOperation]:
    """The operations on webhooks, by name."""
    return {
        "webhooks": lambda _: _list(centre),
        "webhook-add": lambda arguments: _add(centre, operator, arguments),
        "webhook-rotate": lambda arguments: _rotate(centre, operator, str(arguments["webhook_id"])),
        "webhook-remove": lambda arguments: _remove(centre, operator, str(arguments["webhook_id"])),
        "webhook-dead": lambda arguments: _dead(centre, arguments),
        "webhook-retry": lambda arguments: _retry(centre, operator, arguments),
    }


def _list(centre: Centre) -> Telling:
    """The webhooks without their secrets, each with the number of dead letters."""
    with centre.store.read() as db:
        return AboutNobody([_shown(db, each) for each in webhooks(db)])


def _shown(db: ReadTransaction, webhook: Webhook) -> dict[str, Any]:
    names = ("webhook_id", "url", "types", "created_ms", "tries", "failing_since_ms", "next_ms", "why", "ended_ms")
    behind = webhook.change < db.latest_change()
    dead = count_dead_letters(db, webhook.webhook_id)
    return {name: getattr(webhook, name) for name in names} | {"is_behind": behind, "dead": dead}


def _add(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    """Adds a webhook: {webhook_id, secret}. The secret is shown only here. `oldest`: the feed from its beginning."""
    url, types = str(arguments["url"]), _types(arguments.get("types") or ())
    _demand_protected(url, insecure=bool(arguments.get("insecure")))
    webhook_id, secret, now_ms = f"wh_{centre.ids().replace('-', '')[-12:]}", new_secret(), centre.clock()
    with centre.store.write() as db:
        if len(webhooks(db)) >= MOST_WEBHOOKS:
            raise ControlError(f"there are {MOST_WEBHOOKS} webhooks already: remove one")
        change = 0 if arguments.get("oldest") else db.latest_change()
        add_webhook(
            db,
            Webhook(webhook_id=webhook_id, url=url, types=types, secret=secret, created_ms=now_ms, change=change),
        )
        _note(centre, db, operator, webhook_id, "add")
    return AboutNobody({"webhook_id": webhook_id, "secret": shown(secret)})


def _types(given: Sequence[str]) -> tuple[str, ...]:
    known = [each.value for each in EventType]
    unknown = [each for each in given if each not in known]
    if unknown:
        raise ControlError(f"{unknown[0]} is no type of event: {', '.join(known)}")
    return tuple(dict.fromkeys(given))


def _demand_protected(url: str, *, insecure: bool) -> None:
    """Raises ControlError for a URL that messages cannot be sent to, or that they would cross the network to in clear.

    A login in the URL would be shown by lists.
    """
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or len(url) > _MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ControlError("the URL is none such as https://host/path")
    if parts.username or parts.password or parts.fragment:
        raise ControlError("the URL has a login or a fragment: leave it out, the messages are signed")
    if parts.scheme == "http" and not insecure and not _is_loopback(parts.hostname or ""):
        raise ControlError("patients' ids would cross the network in clear: give an https URL, or --insecure")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _rotate(centre: Centre, operator: Requester, webhook_id: str) -> Telling:
    """Gives a webhook a new secret: {webhook_id, secret}. The former one signs too for a day."""
    secret, now_ms = new_secret(), centre.clock()
    with centre.store.write() as db:
        before = _known(db, webhook_id)
        after = replace(before, secret=secret, former_secret=before.secret, former_until_ms=now_ms + OVERLAP_MS)
        write_secrets(db, after)
        _note(centre, db, operator, webhook_id, "rotate")
    return AboutNobody({"webhook_id": webhook_id, "secret": shown(secret)})


def _remove(centre: Centre, operator: Requester, webhook_id: str) -> Telling:
    with centre.store.write() as db:
        _known(db, webhook_id)
        remove_webhook(db, webhook_id)
        _note(centre, db, operator, webhook_id, "remove")
    return AboutNobody(True)


def _dead(centre: Centre, arguments: Mapping[str, Any]) -> Telling:
    """The dead letters of a webhook in the order of the feed: {dead, more}."""
    webhook_id, after = str(arguments["webhook_id"]), str(arguments.get("after") or "")
    with centre.store.read() as db:
        _known(db, webhook_id)
        found = dead_letters(db, webhook_id, MAX_ROWS + 1, after)
    return AboutNobody({"dead": found[:MAX_ROWS], "more": len(found) > MAX_ROWS})


def _retry(centre: Centre, operator: Requester, arguments: Mapping[str, Any]) -> Telling:
    """Sends dead letters once more, and has a webhook try at once that waits or has ended: the number of letters."""
    webhook_id, event_id = str(arguments["webhook_id"]), arguments.get("event_id")
    with centre.store.write() as db:
        known = _known(db, webhook_id)
        number = send_again(db, webhook_id, event_id)
        if event_id is not None and not number:
            raise ControlError(f"webhook {webhook_id} has no dead letter {event_id}")
        write_standing(db, replace(known, next_ms=0, ended_ms=None))
        _note(centre, db, operator, webhook_id, "retry")
    return AboutNobody(number)


def _known(db: ReadTransaction, webhook_id: str) -> Webhook:
    found = read_webhook(db, webhook_id)
    if found is None:
        raise ControlError(f"there is no webhook {webhook_id[:64]}")
    return found


def _note(centre: Centre, db: WriteTransaction, operator: Requester, webhook_id: str, what: str) -> None:
    note(db, operator.who, AuditKind.WEBHOOK, centre.clock(), detail={"webhook": webhook_id, "what": what})
