"""The short commands: all but `run`. They ask the service that runs, or open the database themselves."""

from collections.abc import Mapping

import click

from sync.central.commands import (
    accounts,
    audit,
    bindings,
    card_keys,
    demo,
    hospital,
    imports,
    inbox,
    kiosks,
    migrate_legacy,
    move,
    shadow,
    tokens,
    upkeep,
    watch,
    webhooks,
)

_FILES = (
    demo,
    hospital,
    imports,
    watch,
    tokens,
    accounts,
    kiosks,
    inbox,
    bindings,
    card_keys,
    audit,
    webhooks,
    shadow,
    upkeep,
    move,
    migrate_legacy,
)
COMMANDS: Mapping[str, click.Command] = {
    command.name: command for file in _FILES for command in file.COMMANDS if command.name
}
