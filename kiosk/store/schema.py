"""The tables of the kiosk's store, as numbered migrations. A migration that has landed is never edited."""

from sqlite_utils import Database, Migrations

from kiosk.store import outbox_bodies as records

MIGRATIONS = Migrations("nfc-kiosk")
SCHEMA_VERSION = 5


@MIGRATIONS()
def m001_first_tables(db: Database) -> None:
    """One row says who this kiosk is; patients hold base (as pulled) and view (base with pending on top) as JSON."""
    for statement in _FIRST_TABLES:
        db.execute(statement)


@MIGRATIONS()
def m002_verdicts_told_before(db: Database) -> None:
    """What version 2 of the protocol needs: verdicts told before a restore, merged records, patients who have left the
    roster with something pending, that the centre has ended this kiosk, and when it last told the time."""
    for statement in (
        "alter table outbox add column held text",  # JSON Held; null but where the centre was restored since
        "alter table patients add column gone integer not null default 0",
        "create index patients_gone on patients (patient_id) where gone = 1",
        "alter table identity add column fenced_ms integer",
        "alter table identity add column as_of_clock text",  # JSON ClockReading: this box's clocks at as_of_ms
        """create table patient_aliases (
            alias_id text primary key,     -- a name that the kiosk made for a card, or a record merged into another
            patient_id text not null,
            site_day text not null
        ) strict, without rowid""",
    ):
        db.execute(statement)


@MIGRATIONS()
def m003_digests_of_bodies(db: Database) -> None:
    """What a flipped byte of a body is known by. Of bodies that were written before, it is that of what is there."""
    db.execute("alter table outbox add column digest text")  # SHA-256 (hex) of the body
    db.conn.create_function("digest_of", 1, records.digest, deterministic=True)
    db.execute("update outbox set digest = digest_of(body)")


@MIGRATIONS()
def m004_reversals_seen(db: Database) -> None:
    """Whether somebody has seen that the centre decided otherwise than their kiosk did."""
    db.execute("alter table outbox add column seen integer")  # the revision of the verdict that they were told of


@MIGRATIONS()
def m005_patients_that_a_snapshot_has_not_named(db: Database) -> None:
    """Looked for with every page that ends a pull, and hardly ever there."""
    db.execute("create index patients_unnamed on patients (patient_id) where gone = 2")


_FIRST_TABLES = (
    """create table identity (
        id integer primary key check (id = 1),
        kiosk_id text not null,
        name text not null,
        ticket_prefix text not null,
        actions text not null,             -- JSON list: what the centre grants
        epoch integer not null,
        next_seq integer not null,         -- gap-free per epoch
        last_hash text not null,           -- head of the hash chain of this epoch
        backed_up_seq integer not null,    -- the last seq of this epoch that the centre's backups hold
        server_incarnation text not null,
        cursor integer not null,           -- the last change number pulled
        as_of_ms integer,                  -- when the roster was last whole
        site text not null,                -- JSON Site
        definitions_version integer not null,
        definitions text not null          -- JSON document
    ) strict""",
    """create table patients (
        patient_id text primary key,
        masked_name text not null,
        language text not null,
        change integer not null,
        provisional integer not null,      -- a card that the kiosk knows no patient for
        journey_version integer not null,  -- of the base
        journey_state text not null,       -- of the view
        site_day text not null,            -- of the view
        base text not null,                -- JSON Journey, as pulled or as the last verdict told
        view text not null,                -- JSON Journey, base with pending actions on top
        tomorrow text not null             -- JSON list of the next day's bookings
    ) strict""",
    "create index patients_of_day on patients (site_day)",
    """create table bindings (
        key_id text not null,
        uid_hash text not null,
        patient_id text not null references patients on delete cascade,
        binding_id text,                   -- null where the kiosk itself tied the card to a provisional patient
        primary key (key_id, uid_hash)
    ) strict, without rowid""",
    "create index bindings_of_patient on bindings (patient_id)",
    """create table entries (
        queue_id text primary key,
        patient_id text not null references patients on delete cascade,
        exam_id text not null,
        entry text not null                -- JSON QueueEntry of the view
    ) strict, without rowid""",
    "create index entries_of_exam on entries (exam_id)",
    "create index entries_of_patient on entries (patient_id)",
    """create table outbox (
        action_id text primary key,
        epoch integer not null,
        seq integer not null,
        patient_id text not null,
        visit_id text not null,            -- follows aliases; the body keeps what was sent
        action_type text not null,
        body blob not null,                -- canonical JSON of the Intent
        hash text not null,
        status text not null,              -- pending, or the verdict
        code text,
        revision integer not null default 0,
        site_day text not null,
        applied_ms integer not null,
        judged_ms integer,
        unique (epoch, seq)
    ) strict""",
    "create index outbox_pending on outbox (patient_id) where status = 'pending'",
    "create index outbox_waiting on outbox (epoch, seq) where status = 'pending'",
    "create index outbox_of_patient on outbox (patient_id, site_day)",
    """create table audit (
        audit_id integer primary key,
        at_ms integer not null,
        kind text not null,                -- applied, refused, verdict, refused_tap, epoch, enrolled
        patient_id text,
        action_id text,
        from_state text,
        to_state text,
        detail text not null
    ) strict""",
    # Written to find out whether the disk takes writes again, and to tell a watchdog that it still does.
    "create table probe (id integer primary key check (id = 1), tries integer not null) strict",
    "create table labels (site_day text primary key, used integer not null) strict, without rowid",
)
