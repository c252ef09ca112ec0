"""The tables of the system whose database was migrated into this one."""

LEGACY_TABLES: tuple[str, ...] = (
    # The system whose database was migrated into this one.
    """create table legacy_migration (
        id bigint primary key check (id = 1),
        source text not null,              -- the database that it had, without user and password
        layout text not null,              -- JSON: its tables and columns, for the way back
        migrated_ms bigint not null,
        change bigint not null,            -- the last change number of the migration: what is newer was born here
        reverted_ms bigint                 -- when the way back was taken; null: it was not
    )""",
    # Every row of that database as it was there, the ones that could not be taken among them.
    """create table legacy_rows (
        kind text not null,                -- which of its tables
        place bigint not null,             -- number of the row in the order of the old key, from 1
        old_key text not null,
        fate text not null,                -- taken, settled or bad
        reasons text not null,             -- of a settled or bad row, with a space between them; else empty
        our_id text,                       -- id of what was made of it; null: nothing
        present text,                      -- what was made of it, as it was right after the migration
        content text not null,             -- JSON list: its values in the order of the columns
        primary key (kind, place)
    )""",
    "create index legacy_rows_by_id on legacy_rows (kind, our_id)",
    "create index legacy_rows_by_key on legacy_rows (kind, old_key)",
)
