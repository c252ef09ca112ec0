"""Queue numbers as people read them, alike at both ends."""


def queue_number(prefix: str, count: int) -> str:
    """The queue number of a prefix and a count of the day, such as "B-017"."""
    return f"{prefix}-{count:03d}"
