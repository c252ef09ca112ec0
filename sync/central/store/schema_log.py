"""The tables of the access log, in the SQL of schema.py: its rows, and the chain of blocks that seals them."""

LOG_TABLES: tuple[str, ...] = (
    """create table audit (
        audit_id text primary key,         -- UUIDv7
        at_ms bigint not null,
        who text not null,
        kind text not null,
        patient_id text,
        action_id text,
        detail text not null,              -- JSON, ids only
        counts_until_ms bigint,            -- the row counts until then; null: it never changes
        block bigint                       -- the block that seals the row; null: none yet
    )""",
    "create index audit_of_patient on audit (patient_id)",
    "create index audit_of_block on audit (block, audit_id)",
    # The blocks of the chain. A block is deleted with its rows, the oldest one first.
    """create table log_blocks (
        block bigint primary key,          -- 1, 2, 3, …
        sealed_ms bigint not null,
        rows_sealed bigint not null,
        first_id text not null,            -- of its rows, in the order of their ids
        last_id text not null,
        leaves text not null,              -- a line for each row: its id, and the SHA-256 of the row
        previous text not null,            -- the digest of the block before it
        digest text not null,              -- SHA-256 over all of the above
        key_id text not null,              -- of the key of the seal
        seal text not null                 -- HMAC-SHA-256 of the digest
    )""",
    # Where the chain begins after the deletion of old blocks.
    """create table log_anchor (
        id bigint primary key check (id = 1),
        block bigint not null,             -- the last block that was deleted
        digest text not null,
        key_id text not null,
        seal text not null                 -- HMAC-SHA-256 of both
    )""",
    # The result of the last verification that ran by itself or was asked for by staff.
    """create table log_check (
        id bigint primary key check (id = 1),
        ended_ms bigint not null,
        block bigint not null,             -- the last block that was verified
        rows_verified bigint not null,
        faults bigint not null,
        first_fault text not null          -- in words; empty without a fault
    )""",
)
