"""The tables of the kiosk's store, made by migrations.

sqlite-utils records the applied migrations in the file; they are its schema version. A released migration is never
edited: a change of the tables is a new migration after the last one.
"""

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("nfc-kiosk")


@MIGRATIONS()
def m001_first_schema(db: Database) -> None:
    """Makes all tables. A patient's base is the journey as the centre sent it; the view adds the pending actions."""
    for statement in _FIRST_SCHEMA:
        db.execute(statement)


_FIRST_SCHEMA = (
    """create table identity (
        id integer primary key check (id = 1),
        site_id text not null,             -- the site that this kiosk belongs to
        kiosk_id text not null,
        token_sha256 text not null,        -- of the token of its enrolment; tokens stand in a file of their own
        name text not null,
        ticket_prefix text not null,
        actions text not null,             -- JSON list: what the centre grants
        epoch integer not null,
        next_seq integer not null,         -- gap-free per epoch
        last_hash text not null,           -- head of the hash chain of this epoch
        backed_up_seq integer not null,    -- the last seq of this epoch that the centre's backups hold
        server_incarnation text not null,
        cursor integer not null,           -- the last change number pulled
        cursor_mac text not null,          -- the centre's proof that it gave this cursor; empty beside 0
        generation integer not null,       -- of the roster: the number of its last snapshot
        as_of_ms integer,                  -- when the roster was last whole, by the centre's clock
        as_of_clock text,                  -- JSON ClockReading: this box's clocks at as_of_ms
        ended_ms integer,                 -- when the centre ended this kiosk for good
        site text not null,                -- JSON Site
        definitions_version integer not null,
        definitions text not null          -- JSON document
    ) strict""",
    """create table patients (
        patient_id text primary key,
        masked_name text not null,
        language text not null,
        provisional integer not null,      -- 1: the kiosk knows no patient for the card
        generation integer,                -- of the last page that named the patient; 0: has left; null: none has
        base_generation integer not null,  -- of the page or verdict that brought the base
        site_day text not null,            -- of the view
        base text not null,                -- JSON Journey, as pulled or as in the last verdict
        view text not null,                -- JSON Journey, base with pending actions on top
        tomorrow text not null             -- JSON list of the next day's bookings
    ) strict""",
    "create index patients_of_day on patients (site_day)",
    "create index patients_of_generation on patients (generation)",
    """create table patient_aliases (
        alias_id text primary key,         -- an id that the kiosk made for a card, or a record merged into another
        patient_id text not null,
        site_day text not null
    ) strict, without rowid""",
    """create table bindings (
        key_id text not null,
        uid_hash text not null,
        patient_id text not null references patients on delete cascade,
        binding_id text,                   -- null where the kiosk itself tied the card to a provisional patient
        primary key (key_id, uid_hash)
    ) strict, without rowid""",
    "create index bindings_of_patient on bindings (patient_id)",
    """create table blocked_cards (
        key_id text not null,
        uid_hash text not null,
        generation integer not null,       -- of the last page that named the card
        primary key (key_id, uid_hash)
    ) strict, without rowid""",
    # The queue entries of the views, by their place in the line of an exam: `place_in_line()` of the rules.
    """create table entries (
        queue_id text primary key,
        patient_id text not null references patients on delete cascade,
        exam_id text not null,
        site_day text not null,
        state text not null,
        urgency integer not null,          -- the first part of the place, and so on
        line_ms integer not null
    ) strict, without rowid""",
    "create index entries_in_line on entries (exam_id, site_day, state, urgency, line_ms, queue_id)",
    "create index entries_of_patient on entries (patient_id)",
    """create table outbox (
        action_id text primary key,
        site_id text not null,             -- the site at which it was done: no other one gets it
        epoch integer not null,
        seq integer not null,
        patient_id text not null,
        visit_id text not null,            -- follows aliases; the body keeps what was sent
        action_type text not null,
        body blob not null,                -- canonical JSON of the Intent
        digest text not null,              -- SHA-256 (hex) of the body as it was written
        hash text not null,                -- of this action in the chain of its epoch
        status text not null,              -- pending, or the verdict
        code text,
        revision integer not null default 0,
        held text,                         -- JSON PriorVerdict; null unless the centre was restored since
        seen_revision integer,             -- the last revision of the verdict that the person has seen
        site_day text not null,
        applied_ms integer not null,
        judged_ms integer,
        parked_ms integer,                 -- when it left the chain, since the network lets it not pass; null: in it
        unique (epoch, seq)
    ) strict""",
    "create index outbox_pending on outbox (patient_id) where status = 'pending'",
    "create index outbox_waiting on outbox (epoch, seq) where status = 'pending'",
    "create index outbox_parked on outbox (patient_id) where status = 'pending' and parked_ms is not null",
    "create index outbox_of_patient on outbox (patient_id, site_day)",
    """create table audit (
        audit_id integer primary key,
        at_ms integer not null,
        kind text not null,                -- applied, refused, verdict, refused_tap, enrolled, ended, epoch, lost …
        patient_id text,
        action_id text,
        from_state text,
        to_state text,
        detail text not null
    ) strict""",
    # A write to this table tests whether the disk takes writes again.
    "create table probe (id integer primary key check (id = 1), tries integer not null) strict",
    # The last queue number given on a site day.
    "create table queue_numbers (site_day text primary key, used integer not null) strict, without rowid",
    # Numbers of this kiosk's prefix that were given here, or that an entry of a pulled patient bears.
    """create table number_uses (
        queue_number text primary key,
        site_day text not null,            -- the last day of an entry that bears it
        last_ms integer not null,          -- when it was given, or when an entry that bears it changed last
        action_id text                     -- the action that gave it last; null: not given here
    ) strict, without rowid""",
)
