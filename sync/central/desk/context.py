"""What a row that a person at the desk makes by hand needs: the context of an import's row, in the person's name."""

from sync.central.imports.context import ImportContext
from sync.central.services.once import ActionContext


def by_hand(context: ActionContext) -> ImportContext:
    """The context in which an action of the desk takes a row."""
    centre = context.centre
    return ImportContext(
        context.db,
        centre.definitions,
        centre.keys,
        context.site,
        context.today,
        context.now_ms,
        centre.ids,
        context.requester.who,
    )
