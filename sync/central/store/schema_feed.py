"""The tables of webhooks, in the SQL of schema.py. They name no patient."""

FEED_TABLES: tuple[str, ...] = (
    """create table webhooks (
        webhook_id text primary key,
        url text not null,
        types text not null,               -- JSON list of the types of events that it gets; empty: all
        secret text not null,              -- 32 bytes in base64: signs the messages
        former_secret text,                -- signs them too, until `former_until_ms`
        former_until_ms bigint,
        created_ms bigint not null,
        change bigint not null,            -- the receiver has the events up to this change number
        tries bigint not null,             -- how often the next event was sent without success
        failing_since_ms bigint,           -- null: the last message was taken
        next_ms bigint not null,           -- nothing is sent before
        why text not null,                 -- why the last message was not taken; empty where it was
        ended_ms bigint                    -- the receiver wants no more; null: in force
    )""",
    # Events that a receiver did not take.
    """create table dead_letters (
        webhook_id text not null references webhooks (webhook_id),
        event_id text not null,
        change bigint not null,            -- the event's change number
        died_ms bigint not null,
        why text not null,
        again bigint not null,             -- 1: it is to be sent once more
        primary key (webhook_id, event_id)
    )""",
)
