"""The tables of the centre's store, as numbered migrations. A migration that has landed is never edited.

Statements are written in the part of SQL that SQLite and PostgreSQL share: `bigint` for every number (the store spells
it as SQLite wants it), `text` for the rest, truth as 0 or 1, a primary key in every table, no default that only one of
them knows. Times are UTC milliseconds (`*_ms`), days ISO dates of the site (`*_day`), JSON is text.
"""

from dataclasses import dataclass

from sync.central.store.schema_sync import (
    DEFINITIONS,
    FIRST_SYNC_TABLES,
    MERGES_CORRECTIONS_BACKUPS,
    OPEN_CASES,
    SECOND_NUMBERS,
    WHAT_IS_TOLD,
)


@dataclass(frozen=True, slots=True)
class Migration:
    """The statements that lead from the version before to this one."""

    version: int
    statements: tuple[str, ...]


_SITE = (
    """create table site (
        id bigint primary key check (id = 1),
        name text not null,
        timezone text not null,            -- IANA name
        day_starts_at text not null,       -- "04:00", local time
        languages text not null,           -- JSON list
        desk_exam_id text not null,        -- where a patient without a booking goes
        ticket_prefix text not null        -- of the numbers that the centre itself gives
    )""",
    """create table incarnation (
        id bigint primary key check (id = 1),
        server_incarnation text not null,  -- anew when the database turns out to be a restored one
        opened_id text not null            -- of the last opening; the marker beside the file names the same
    )""",
    """create table counters (
        name text primary key,
        value bigint not null              -- `change`: its row lock makes number order commit order
    )""",
    "insert into counters values ('change', 0)",
    """create table labels (
        site_day text not null,
        prefix text not null,
        used bigint not null,              -- numbers given under this prefix on that day
        primary key (site_day, prefix)
    )""",
    """create table exams (
        exam_id text primary key,
        title text not null,
        public_label text not null,        -- what a screen may show; the title may tell a diagnosis
        room text not null,
        minutes bigint not null,
        overnight bigint not null
    )""",
)

_PATIENTS = (
    """create table patients (
        patient_id text primary key,
        name text not null,
        masked_name text not null,
        language text not null,
        birth_date text,                   -- ISO date
        provisional bigint not null,       -- made from an unknown card, not yet tied to a patient of the hospital
        created_ms bigint not null
    )""",
    """create table patient_aliases (
        alias_id text primary key,         -- a patient id that is no more: records were merged, or a card was tied
        patient_id text not null references patients (patient_id),
        since_ms bigint not null
    )""",
    """create table bindings (
        binding_id text primary key,
        patient_id text not null references patients (patient_id),
        begin_ms bigint not null,
        end_ms bigint                      -- null: bound now
    )""",
    "create index bindings_of_patient on bindings (patient_id)",
    """create table binding_hashes (
        key_id text not null,
        uid_hash text not null,
        binding_id text not null references bindings (binding_id),
        primary key (key_id, uid_hash, binding_id)
    )""",
    "create index hashes_of_binding on binding_hashes (binding_id)",
    """create table appointments (
        appointment_id text primary key,
        patient_id text not null references patients (patient_id),
        exam_id text not null references exams (exam_id),
        scheduled_ms bigint not null,
        site_day text not null,
        status text not null,
        legacy_status text
    )""",
    "create index appointments_of_patient on appointments (patient_id, site_day)",
    "create index appointments_of_day on appointments (site_day, patient_id)",
)

_JOURNEYS = (
    """create table journeys (
        patient_id text primary key references patients (patient_id),
        state text not null,
        site_day text not null,            -- the day that the journey and its entries belong to
        visit_id text,
        leg bigint not null,
        journey_version bigint not null,
        current_queue_id text,
        change bigint not null             -- change number of the last change of anything that concerns the patient
    )""",
    "create index journeys_by_change on journeys (change)",
    "create index journeys_by_day on journeys (site_day)",
    """create table entries (
        queue_id text primary key,
        patient_id text not null references patients (patient_id),
        visit_id text,
        site_day text not null,            -- the journey's; an entry that outlasts a day's end goes along
        exam_id text not null references exams (exam_id),
        exam_name text not null,           -- the public label when it was opened
        room text not null,
        state text not null,
        queue_number text not null,        -- printed, so it never changes
        label_aliases text not null,       -- JSON list: numbers that other kiosks printed for the same place
        leg bigint not null,
        priority bigint not null,
        minutes bigint not null,
        overnight bigint not null,
        opened_ms bigint not null
    )""",
    "create index entries_of_patient on entries (patient_id, site_day)",
    "create index entries_of_line on entries (site_day, exam_id, state)",
    """create table visits (
        visit_id text primary key,
        patient_id text not null references patients (patient_id),
        site_day text not null,
        ordinal bigint not null,           -- the patient's first, second … visit of the day
        opened_ms bigint not null,         -- the earliest trusted arrival
        opened_version bigint not null,    -- journey_version that its opening led to
        closed_ms bigint,
        unique (patient_id, site_day, ordinal)
    )""",
    """create table visit_aliases (
        alias_id text primary key,         -- a visit opened elsewhere meanwhile
        visit_id text not null references visits (visit_id),
        since_ms bigint not null
    )""",
    """create table transitions (
        change bigint not null,            -- the change number of the transaction that wrote it: commit order
        position bigint not null,
        patient_id text not null references patients (patient_id),
        visit_id text,
        leg bigint not null,
        action_id text,
        from_state text not null,
        to_state text not null,
        action text not null,
        trigger_type text not null,
        source text not null,
        metadata text not null,            -- JSON; a card stands in it as its hashes
        happened_ms bigint not null,
        recorded_ms bigint not null,
        time_quality text not null,
        primary key (change, position)
    )""",
    "create index transitions_of_patient on transitions (patient_id, change)",
    """create table entry_history (
        change bigint not null,
        position bigint not null,
        queue_id text not null references entries (queue_id),
        patient_id text not null references patients (patient_id),
        action_id text,
        previous text,                     -- null: opened
        new text not null,
        reason text not null,
        who text not null,
        happened_ms bigint not null,
        recorded_ms bigint not null,
        primary key (change, position)
    )""",
    "create index history_of_entry on entry_history (queue_id, change)",
    """create table actions (
        action_id text primary key,
        patient_id text,
        action_type text not null,
        content_hash text not null,        -- of who asked for what; the same id with another content is refused
        source text not null,              -- rest, websocket, or the kiosk's id
        outcome text not null,             -- applied, refused, or a verdict
        result text,                       -- JSON: what was answered, and is answered again
        recorded_ms bigint not null
    )""",
    "create index actions_of_patient on actions (patient_id)",
)

_ACCESS = (
    """create table tokens (
        token_hash text primary key,       -- SHA-256; the token itself is told once
        role text not null,                -- patient, staff or kiosk
        patient_id text references patients (patient_id),
        kiosk_id text,
        label text not null,
        created_ms bigint not null,
        expires_ms bigint,
        revoked_ms bigint
    )""",
    "create index tokens_of_patient on tokens (patient_id)",
    "create index tokens_of_kiosk on tokens (kiosk_id)",
    """create table exceptions (
        exception_id text primary key,     -- UUIDv7
        code text not null,
        patient_id text,
        action_id text,
        visit_id text,
        kiosk_id text,
        detail text not null,              -- JSON, ids only
        opened_ms bigint not null,
        settled_ms bigint,
        settled_by text,
        settlement text                    -- apply, discard with a reason, re-assign: JSON
    )""",
    "create index exceptions_of_action on exceptions (action_id)",
    """create table audit (
        audit_id text primary key,         -- UUIDv7
        at_ms bigint not null,
        who text not null,
        kind text not null,
        patient_id text,
        action_id text,
        detail text not null               -- JSON, ids only
    )""",
    "create index audit_of_patient on audit (patient_id)",
)

MIGRATIONS = (
    Migration(1, (*_SITE, *_PATIENTS, *_JOURNEYS, *_ACCESS, *FIRST_SYNC_TABLES)),
    Migration(2, MERGES_CORRECTIONS_BACKUPS),
    Migration(3, DEFINITIONS),
    Migration(4, WHAT_IS_TOLD),
    Migration(5, SECOND_NUMBERS),
    Migration(6, OPEN_CASES),
)
SCHEMA_VERSION = MIGRATIONS[-1].version
