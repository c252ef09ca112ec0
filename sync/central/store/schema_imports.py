"""The tables of documents that come to the service, in the SQL of schema.py. A result has ids of the sender's rows."""

IMPORT_TABLES: tuple[str, ...] = (
    """create table document_imports (
        import_id text primary key,        -- UUIDv7
        who text not null,                 -- the integration that sent it
        began_ms bigint not null,
        seen_ms bigint not null,           -- the worker that takes it was alive then
        ended_ms bigint,                   -- null: it is being taken, or its worker was killed
        result text                        -- JSON, once it has ended
    )""",
    "create index imports_by_time on document_imports (began_ms)",
    """create table watched_folders (
        folder_id text primary key,        -- UUID of a file in the folder
        holder text not null,              -- the process that works on it
        until_ms bigint not null           -- unless it asks again
    )""",
)
