"""The names of people in place of the login names that the history has, as parts of a query.

`who_of` is the column `who` with the person's name, and `person_of` the join that it needs. An account that is gone, a
token and a kiosk keep the name that the history has.
"""

_MARK = "staff:"


def who_of(table: str) -> str:
    """The column `who` of a table of the query, by its short name. No other column bears the name."""
    return f"coalesce('{_MARK}' || q.name, {table}.who) as who"


def person_of(table: str) -> str:
    """The join with the account of that `who`. It finds the account by its login name, so by the index."""
    whose = f"q.login = substr({table}.who, {len(_MARK) + 1}) and substr({table}.who, 1, {len(_MARK)}) = '{_MARK}'"
    return f" left join accounts q on {whose}"
