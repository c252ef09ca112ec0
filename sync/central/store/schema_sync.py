"""The tables of the wire to the kiosks, in the SQL of schema.py."""

_KIOSKS = (
    """create table kiosks (
        kiosk_id text primary key,
        name text not null,
        ticket_prefix text not null,       -- of the numbers that it prints; nobody else's while it may be in use
        grants text not null,              -- JSON list: kinds of kiosk and actions
        epoch bigint not null,             -- its present incarnation
        enrolled_ms bigint not null,
        seen_ms bigint,
        revoked_ms bigint
    )""",
    """create table enrol_codes (
        code_hash text primary key,        -- SHA-256; the code itself is told once
        grants text,                       -- JSON list: the most that it grants; null: what is asked for
        created_ms bigint not null,
        expires_ms bigint not null,
        used_ms bigint
    )""",
    """create table enrol_failures (
        failure_id text primary key,       -- UUIDv7
        origin text not null,              -- network address
        at_ms bigint not null
    )""",
    "create index failures_by_time on enrol_failures (at_ms)",
)

_ACTIONS = (
    """create table chains (
        kiosk_id text not null references kiosks (kiosk_id),
        epoch bigint not null,
        last_seq bigint not null,
        last_hash text not null,           -- head of the hash chain
        told bigint not null,              -- how often in a row the kiosk was asked for what is missing
        primary key (kiosk_id, epoch)
    )""",
    """create table receipts (
        kiosk_id text not null,
        epoch bigint not null,
        seq bigint not null,
        hash text not null,                -- in the chain of this epoch
        verdict_id text not null,          -- the id of its verdict: the action's, or one of ours where it bears none
        primary key (kiosk_id, epoch, seq)
    )""",
    # One row for each time that a verdict was given: the audit of what was decided, and on what grounds.
    """create table verdicts (
        verdict_id text not null,          -- the action's id
        revision bigint not null,
        kiosk_id text not null,
        seq bigint not null,
        patient_id text,
        visit_id text,
        verdict text not null,
        code text not null,
        conflict bigint not null,          -- row of the table of conflicts; 0: none
        from_state text,                   -- the journey before and after
        to_state text,
        changed_version bigint,            -- journey_version that it led to, where it changed the journey
        definitions_version bigint,
        counterpart text,                  -- the action that stood in its way
        change bigint not null,            -- number under which kiosks pull it; 0: told in the answer to its push
        recorded_ms bigint not null,
        primary key (verdict_id, revision)
    )""",
    "create index verdicts_of_patient on verdicts (patient_id, kiosk_id, changed_version)",
    "create index verdicts_to_pull on verdicts (kiosk_id, change)",
    # The actions that wait for staff, whole, so that they can be judged again; a row goes when its case is settled.
    """create table waiting (
        verdict_id text primary key,
        exception_id text not null references exceptions (exception_id),
        kiosk_id text not null,
        seq bigint not null,
        visit_id text not null,            -- aliases followed
        code text not null,
        body text not null,                -- JSON Intent
        sent text not null,                -- JSON ClockReading: the kiosk's clocks when it sent the action
        received_ms bigint not null
    )""",
    "create index waiting_of_visit on waiting (visit_id)",
    """create table waiting_cards (
        key_id text not null,
        uid_hash text not null,
        verdict_id text not null references waiting (verdict_id),
        primary key (key_id, uid_hash, verdict_id)
    )""",
    "create index waiting_cards_of_action on waiting_cards (verdict_id)",
    # What could not be digested, as it came, for a person to look at.
    """create table quarantine (
        verdict_id text primary key,
        exception_id text not null references exceptions (exception_id),
        kiosk_id text not null,
        epoch bigint not null,
        seq bigint not null,
        reason text not null,
        body text not null,
        received_ms bigint not null
    )""",
    "create index transitions_of_visit on transitions (visit_id, change)",
    "create index entries_by_number on entries (site_day, queue_number)",
    """create table roster_day (
        id bigint primary key check (id = 1),
        site_day text not null,
        first_change bigint not null       -- cursors below it are of an earlier day
    )""",
)

FIRST_SYNC_TABLES: tuple[str, ...] = (*_KIOSKS, *_ACTIONS)

MERGES_CORRECTIONS_BACKUPS: tuple[str, ...] = (
    # Number under which kiosks pull that one record was merged into another; 0: a name that a kiosk made for a card.
    "alter table patient_aliases add column change bigint not null default 0",
    "create index aliases_by_change on patient_aliases (change)",
    "create index aliases_of_patient on patient_aliases (patient_id)",
    # The last seq that a backup of this database, verified by opening it, holds.
    "alter table chains add column backed_up_seq bigint not null default 0",
    # Visits that were under way when their patient's record was merged into one that was on a visit of its own.
    """create table merged_visits (
        visit_id text primary key references visits (visit_id),
        merged_ms bigint not null
    )""",
    # Where staff have said that a patient stands, against what the actions had led to.
    """create table corrections (
        change bigint primary key,
        patient_id text not null references patients (patient_id),
        visit_id text not null,
        journey_version bigint not null    -- that the correction led to
    )""",
    "create index corrections_of_visit on corrections (visit_id, journey_version)",
    "create index waiting_of_case on waiting (exception_id)",
)

DEFINITIONS: tuple[str, ...] = (
    # The rules that the service has run by: kiosks that were cut off have judged by older ones than its own.
    """create table definitions (
        version bigint primary key,
        document text not null,            -- JSON, canonical
        since_ms bigint not null
    )""",
)

WHAT_IS_TOLD: tuple[str, ...] = (
    # A kiosk hears of a verdict given anew where it has sent the action, under whatever name it was enrolled before.
    "create index receipts_of_verdict on receipts (verdict_id, kiosk_id)",
    "create index verdicts_by_change on verdicts (change)",
)

SECOND_NUMBERS: tuple[str, ...] = (
    # Whoever prints a number that another kiosk printed for a place that has one already: few, looked for often.
    "create index entries_with_aliases on entries (site_day) where label_aliases <> '[]'",
)

OPEN_CASES: tuple[str, ...] = (
    "create index exceptions_that_are_open on exceptions (opened_ms, exception_id) where settled_ms is null",
)
