"""The names of people in place of the login names that the history has.

As parts of a query, `who_of` is the column `who` with the person's name, and `person_of` the join that it needs. An
account that is gone, a token and a kiosk keep the name that the history has. `names_of_doers` has names beside what the
history has, where both are shown.
"""

from collections.abc import Collection

from sync.central.store.transactions import ReadTransaction, each_of

_MARK = "staff:"


def who_of(table: str) -> str:
    """The column `who` of a table of the query, by its short name. No other column bears the name."""
    return f"coalesce('{_MARK}' || q.name, {table}.who) as who"


def person_of(table: str) -> str:
    """The join with the account of that `who`."""
    return f" left join accounts q on {_is_account_of(f'{table}.who')}"


def names_of_doers(db: ReadTransaction, whos: Collection[str]) -> dict[str, str]:
    """The names of people and kiosks by what the history has of each. Others are left out."""
    places, parameters = each_of("who", whos or ("",))
    logins, logins_of = each_of("login", [who.removeprefix(_MARK) for who in whos if who.startswith(_MARK)] or ("",))
    rows = db.rows(
        f"select '{_MARK}' || login as who, name from accounts where login in {logins}"  # noqa: S608
        f" union all select kiosk_id, name from kiosks where kiosk_id in {places}",
        **parameters,
        **logins_of,
    )
    return {row["who"]: row["name"] for row in rows}


def is_part_of_name(who: str, part: str) -> str:
    """The condition that a parameter is a part of the name of the person or kiosk that a column means."""
    unlike = f"replace(q.name, {part}, '') <> q.name"
    return (
        f"exists (select 1 from accounts q where {_is_account_of(who)} and {unlike})"  # noqa: S608
        f" or exists (select 1 from kiosks q where q.kiosk_id = {who} and {unlike})"
    )


def _is_account_of(who: str) -> str:
    """The condition that an account `q` is of the person whom a column means. The index of login names answers it."""
    return f"q.login = substr({who}, {len(_MARK) + 1}) and substr({who}, 1, {len(_MARK)}) = '{_MARK}'"
