"""The tables of the centre's database, and the migrations that lead to them. A released migration is never edited.

Statements are in the part of SQL that SQLite and PostgreSQL share: `bigint` for every number (the store writes SQLite's
own name for it), `text` for the rest, 0 or 1 for truth, a primary key in every table, and no default values but one.
Columns named `*_ms` hold UTC milliseconds, columns named `*_day` ISO dates of the site, and JSON is text.
"""

from sync.central.store.schema_board import BOARD_TABLES
from sync.central.store.schema_feed import FEED_TABLES
from sync.central.store.schema_imports import IMPORT_TABLES
from sync.central.store.schema_kiosks import KIOSK_TABLES
from sync.central.store.schema_legacy import LEGACY_TABLES
from sync.central.store.schema_log import LOG_TABLES
from sync.central.store.schema_people import ACCOUNT_TABLES, SIGN_IN_TABLES

_SITE = (
    """create table site (
        id bigint primary key check (id = 1),
        site_id text not null,             -- UUID, made with the first import: equal names are no equal sites
        name text not null,
        timezone text not null,            -- IANA name
        day_starts_at text not null,       -- local time, like "04:00"
        languages text not null,           -- JSON list
        desk_exam_id text not null,        -- the exam that a patient without a booking is queued for
        ticket_prefix text not null,       -- prefix of the queue numbers that the centre gives
        refuse_short_uids bigint not null, -- 1: cards of iso14443a with a UID of 4 bytes are not accepted
        deciders text not null             -- JSON: action -> who decides it, since when; the centre where it is missing
    )""",
    # The clock of the site by which the days of bookings were derived.
    """create table derived_days (
        id bigint primary key check (id = 1),
        timezone text not null,            -- empty: the site's clock was corrected, and the days are derived again
        day_starts_at text not null,
        after_id text not null             -- the last booking that the correction has reached; empty before the first
    )""",
    # The keys of the cards' hashes by their ids. The secrets are in the key file.
    """create table card_keys (
        key_id text primary key,
        layer bigint not null,             -- its place in the key file, from 1
        since_ms bigint not null,
        published_ms bigint,               -- when kiosks got it first; null: cards are still stored without it
        lifted_ms bigint,                  -- when no card was stored under an older key any more; null until then
        place text not null                -- JSON: how far the walk over the stored cards has come
    )""",
    """create table web_settings (
        id bigint primary key check (id = 1),
        public_url text not null,          -- the URL under which apps reach the centre; empty where none is set
        trusted_proxies text not null,     -- JSON list of networks whose X-Forwarded-For is believed
        allowed_origins text not null      -- JSON list of the origins of apps
    )""",
    """create table incarnation (
        id bigint primary key check (id = 1),
        server_incarnation text not null,  -- replaced when the database turns out to be a restored one
        cursor_secret text not null        -- 32 bytes in hex, made at the first opening: signs the kiosks' cursors
    )""",
    """create table openings (
        host_id text primary key,          -- a state directory with its marker; SQLite has one
        opened_id text not null            -- id of the last opening from there; the marker holds the same id
    )""",
    # The result of the last health check that ran by itself.
    """create table last_check (
        id bigint primary key check (id = 1),
        ended_ms bigint not null,
        took_ms bigint not null,
        found text not null                -- JSON: {kind of finding: number of rows}
    )""",
    """create table definitions (
        version bigint primary key,
        document text not null,            -- canonical JSON; kiosks that were offline have judged by older versions
        since_ms bigint not null           -- when this version was put in force
    )""",
    # One table for all counters, so that one statement takes a queue number and a change number.
    """create table counters (
        name text not null,                -- `change`, or `queue_number` with a prefix, among others
        site_day text not null default '', -- of a queue number: each day has its own
        value bigint not null,             -- `change`: the lock on this row keeps change numbers in commit order
        primary key (name, site_day)
    )""",
    "insert into counters (name, value) values ('change', 0)",
    """create table exams (
        exam_id text primary key,
        title text not null,
        public_label text not null,        -- what a screen may show; the title may reveal a diagnosis
        room text not null,
        minutes bigint not null,           -- planned length
        overnight bigint not null,         -- 1: its queue entries outlast the day's end
        by_booking bigint not null         -- 1: its line stands by the booked times, 0: by the times of arrival
    )""",
)

_PATIENTS = (
    """create table patients (
        patient_id text primary key,       -- the hospital's own id
        name text not null,
        masked_name text not null,         -- what a screen in a hall may show
        language text not null,
        birth_date text,                   -- ISO date
        created_ms bigint not null,
        id_folded text not null,           -- patient_id and name as `sync.text.fold` gives them. Where folding
        name_folded text not null          -- changes, a migration has to fold them again
    )""",
    """create table patient_aliases (
        alias_id text primary key,         -- id of a merged record, or the name that a kiosk made for an unknown card
        patient_id text not null references patients (patient_id),
        since_ms bigint not null,
        change bigint not null             -- number under which kiosks pull a merge; 0: a kiosk's name for a card
    )""",
    "create index aliases_by_change on patient_aliases (change)",
    "create index aliases_of_patient on patient_aliases (patient_id)",
    """create table bindings (
        binding_id text primary key,
        patient_id text not null references patients (patient_id),
        label text not null,               -- what staff call the card; empty without a label
        origin text not null,              -- desk, import or case
        begin_ms bigint not null,
        bound_by text not null,
        end_ms bigint,                     -- null: in force
        ended_by text,
        end_reason text                    -- empty where another binding ended it
    )""",
    "create index bindings_of_patient on bindings (patient_id)",
    """create table binding_hashes (
        key_id text not null,              -- the card key
        uid_hash text not null,            -- keyed hash of the card's UID; during a rotation a card has two rows
        binding_id text not null references bindings (binding_id),
        primary key (key_id, uid_hash, binding_id)
    )""",
    "create index hashes_of_binding on binding_hashes (binding_id)",
    # Cards that were reported lost. A card that is blocked is bound to nobody.
    """create table card_blocks (
        block_id text primary key,         -- UUIDv7
        begin_ms bigint not null,
        blocked_by text not null,
        reason text not null,
        end_ms bigint,                     -- null: in force
        unblocked_by text,
        end_reason text,
        change bigint not null             -- change number under which kiosks pull the block or its end
    )""",
    "create index blocks_by_change on card_blocks (change)",
    """create table blocked_hashes (
        key_id text not null,
        uid_hash text not null,
        block_id text not null references card_blocks (block_id),
        primary key (key_id, uid_hash, block_id)
    )""",
    "create index hashes_of_block on blocked_hashes (block_id)",
    """create table appointments (
        appointment_id text primary key,   -- the hospital's own id
        patient_id text not null references patients (patient_id),
        exam_id text not null references exams (exam_id),
        scheduled_at text not null,        -- ISO 8601, as the hospital said it: a date, a local time, or an instant
        scheduled_ms bigint not null,      -- its moment by the site's clock; without a time, the start of its day
        all_day bigint not null,           -- 1: a date without a time
        site_day text not null,            -- its day by the site's clock; the day beside it once it is used there
        last_day text not null,            -- the last day on which it can be used
        status text not null,              -- an appointment state of the definitions
        withdrawn text,                    -- how the hospital's system cancelled it: `row`, or `left_out` of its day
        made_by text not null,             -- who at the desk made or moved it by hand; empty: the hospital's system did
        said_exam_id text                  -- the exam that the hospital's system said, where staff moved the booking
    )""",
    "create index appointments_of_patient on appointments (patient_id, site_day)",
    "create index appointments_of_day on appointments (site_day, patient_id)",
    "create index appointments_of_exam on appointments (exam_id, site_day, patient_id)",
)

_JOURNEYS = (
    """create table journeys (
        patient_id text primary key references patients (patient_id),
        state text not null,               -- a journey state of the definitions
        site_day text not null,            -- the day that the journey and its entries belong to
        visit_id text,                     -- null: on no visit
        leg bigint not null,               -- number of the exam within the visit
        journey_version bigint not null,
        current_queue_id text,
        change bigint not null             -- of the last change of anything that concerns the patient; 0: none yet
    )""",
    "create index journeys_by_change on journeys (change)",
    "create index journeys_by_day on journeys (site_day)",
    "create index journeys_on_a_visit on journeys (patient_id) where visit_id is not null",
    """create table entries (
        queue_id text primary key,
        patient_id text not null references patients (patient_id),
        visit_id text,
        site_day text not null,            -- the journey's day; moves on with an entry that outlasts a day's end
        exam_id text not null references exams (exam_id),
        exam_name text not null,           -- the exam's public label when the entry got into its line
        room text not null,
        state text not null,               -- a queue state of the definitions
        queue_number text not null,        -- printed on paper, so it never changes
        label_aliases text not null,       -- JSON list: other numbers that were printed for the same place
        leg bigint not null,
        priority bigint not null,          -- higher goes first
        minutes bigint not null,           -- planned length of the exam
        overnight bigint not null,
        opened_ms bigint not null,
        appointment_id text references appointments (appointment_id),  -- null: without a booking
        moved_from text not null,          -- name of the exam on the ticket, where it has another one now; else empty
        moved_from_room text not null,     -- room on the ticket, where the patient waits at another one now; else empty
        line_ms bigint not null            -- the time by which it stands in its line
    )""",
    "create index entries_of_patient on entries (patient_id, site_day)",
    "create index entries_of_booking on entries (appointment_id) where appointment_id is not null",
    # With the place in the line, so that the people ahead are counted in the index alone.
    "create index entries_of_line on entries (site_day, exam_id, state, priority, line_ms)",
    # Every new number is looked up among those of the day and among the live ones of all days.
    "create index entries_by_number on entries (queue_number, site_day, state)",
    # Few entries have a second number.
    "create index entries_with_aliases on entries (site_day) where label_aliases <> '[]'",
    """create table visits (
        visit_id text primary key,
        patient_id text not null references patients (patient_id),
        site_day text not null,
        ordinal bigint not null,           -- the patient's first, second … visit of the day
        opened_ms bigint not null,         -- the earliest trusted arrival
        opened_version bigint not null,    -- journey_version after the opening; 0: the opening was taken back
        closed_ms bigint,                  -- null: under way
        unique (patient_id, site_day, ordinal)
    )""",
    """create table visit_aliases (
        alias_id text primary key,         -- a visit that another kiosk opened for the same stay
        visit_id text not null references visits (visit_id),
        since_ms bigint not null
    )""",
    # Visits under way whose patient's record was merged into a record with a visit of its own.
    """create table merged_visits (
        visit_id text primary key references visits (visit_id),
        merged_ms bigint not null
    )""",
    """create table transitions (
        change bigint not null,            -- change number of the transaction that wrote the row: commit order
        position bigint not null,          -- place among the rows of one change
        patient_id text not null references patients (patient_id),
        visit_id text,
        leg bigint not null,
        action_id text,                    -- null: the day's end
        from_state text not null,
        to_state text not null,
        action text not null,
        trigger_type text not null,        -- nfc_tag, patient_action, staff_action, queue_sync, system_auto or legacy
        source text not null,              -- rest, websocket, centre, legacy, or a kiosk's id
        who text not null,                 -- as in entry_history
        metadata text not null,            -- JSON; a card appears as its hashes
        happened_ms bigint not null,
        recorded_ms bigint not null,
        time_quality text not null,        -- how far `happened_ms` can be trusted
        primary key (change, position)
    )""",
    "create index transitions_of_patient on transitions (patient_id, change)",
    "create index transitions_of_visit on transitions (visit_id, change)",
    """create table entry_history (
        change bigint not null,
        position bigint not null,
        queue_id text not null references entries (queue_id),
        patient_id text not null references patients (patient_id),
        action_id text,
        previous text,                     -- null: the entry was opened
        new text not null,
        reason text not null,
        who text not null,
        happened_ms bigint not null,
        recorded_ms bigint not null,
        primary key (change, position)
    )""",
    "create index history_of_entry on entry_history (queue_id, change)",
    # The proofs of kiosks' actions, such as the receipt of a payment. One proof counts for one visit.
    """create table proofs (
        action text not null,
        proof text not null,
        visit_id text not null references visits (visit_id),
        primary key (action, proof)
    )""",
    # Corrections of journeys by staff, and undone presses that had moved a journey.
    """create table corrections (
        change bigint primary key,
        patient_id text not null references patients (patient_id),
        visit_id text not null,
        journey_version bigint not null,   -- after the correction
        since_version bigint not null      -- the first version with what was corrected; 0: not known
    )""",
    "create index corrections_of_visit on corrections (visit_id, journey_version)",
    """create table actions (
        action_id text primary key,
        patient_id text,                   -- null: about no patient, or about an unknown one
        action_type text not null,
        content_hash text not null,        -- of sender and request; the same id with another content is refused
        source text not null,              -- rest, websocket, desk, or a kiosk's id
        outcome text not null,             -- applied or refused, or the verdict of a kiosk's action
        result text,                       -- JSON answer, given again to a repeat; null: a kiosk gets its verdict row
        recorded_ms bigint not null
    )""",
    "create index actions_of_patient on actions (patient_id)",
    # What the hospital's other system did, in the time in which it decides.
    """create table shadow_words (
        word_id text primary key,          -- made by the other system
        patient_id text not null references patients (patient_id),
        action_type text not null,
        decider text not null,             -- legacy or shadow, as the site said then
        outcome text not null,             -- followed, corrected, late or refused
        leg bigint not null,               -- of the journey here, before the word, like the next one
        state text not null,
        from_state text not null,          -- as the other system says it, like the next one
        to_state text not null,
        differences text not null,         -- JSON list; always empty in legacy, where the rules are not asked
        at_ms bigint not null,             -- when the other system did it
        recorded_ms bigint not null
    )""",
    "create index words_of_patient on shadow_words (patient_id, at_ms)",
    "create index words_of_action on shadow_words (action_type, recorded_ms)",
    "create index words_by_age on shadow_words (recorded_ms)",
)

_ACCESS = (
    """create table tokens (
        token_hash text primary key,       -- SHA-256; the token itself is shown once and stored nowhere
        role text not null,                -- patient, visit, staff or kiosk
        patient_id text references patients (patient_id),
        kiosk_id text,
        name text not null,                -- whose it is, for staff: a person, a board, an app; empty without a name
        created_ms bigint not null,
        expires_ms bigint,                 -- null: never
        used_ms bigint,                    -- a use within a day of the last one; null: none yet
        revoked_ms bigint,
        replaced_ms bigint,                -- the first use of a newer token; null: there was none
        renews text,                       -- hash of an app's former token; null: it renews none
        visit_id text,                     -- of a visit's token: valid while the patient is on that visit
        action_id text,                    -- of a visit's token: the action whose hash it has
        wrong_tries bigint not null,       -- of a visit's token: wrong birth dates
        account_id text references accounts (account_id),  -- of a person who has signed in
        duties text,                       -- of that person; null: what a staff token may do anyway
        seen_ms bigint,                    -- of a person: the last press or request, true to a minute
        idle_ms bigint                     -- the token ends so long after `seen_ms`; null: it has no idle end
    )""",
    "create index tokens_of_patient on tokens (patient_id)",
    "create index tokens_of_action on tokens (action_id) where action_id is not null",
    "create index tokens_that_renew on tokens (renews) where renews is not null",
    "create index tokens_of_kiosk on tokens (kiosk_id)",
    "create index tokens_of_account on tokens (account_id) where account_id is not null",
    # Sessions of browsers. One is deleted at its end, or when its token has ended.
    """create table sessions (
        session_hash text primary key,     -- SHA-256; the session itself is in the browser's cookie alone
        token_hash text not null references tokens (token_hash),
        created_ms bigint not null
    )""",
    "create index sessions_of_token on sessions (token_hash)",
    """create table exceptions (
        exception_id text primary key,     -- UUIDv7
        code text not null,
        patient_id text,
        action_id text,
        visit_id text,
        kiosk_id text,
        detail text not null,              -- JSON, ids only
        opened_ms bigint not null,
        settled_ms bigint,                 -- null: open
        settled_by text,
        settlement text,                   -- JSON: how it was settled (apply, discard, reassign), reason, patient
        matter text,                       -- what the repeats in the case have in common; null: it stands alone
        count bigint not null,             -- how often it happened
        last_ms bigint not null            -- when it happened last
    )""",
    "create index exceptions_of_action on exceptions (action_id)",
    "create index exceptions_of_patient on exceptions (patient_id)",
    "create index exceptions_of_kiosk on exceptions (kiosk_id, opened_ms, exception_id)",
    "create index exceptions_with_repeats on exceptions (code, matter) where settled_ms is null and matter is not null",
    # Who has a case open at this moment.
    """create table case_viewers (
        viewer_id text primary key,        -- a page's
        exception_id text not null,
        name text not null,                -- the person's
        since_ms bigint not null,
        until_ms bigint not null           -- the socket of the page renews it
    )""",
    "create index exceptions_that_are_settled on exceptions (settled_ms, exception_id) where settled_ms is not null",
    "create index exceptions_that_are_open on exceptions (opened_ms, exception_id) where settled_ms is null",
)

# The statements of each schema version, in order: the first tuple leads to version 1.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        *(*_SITE, *_PATIENTS, *_JOURNEYS, *ACCOUNT_TABLES, *_ACCESS, *LOG_TABLES, *SIGN_IN_TABLES),
        *(*LEGACY_TABLES, *KIOSK_TABLES, *BOARD_TABLES, *FEED_TABLES, *IMPORT_TABLES),
    ),
)
SCHEMA_VERSION = len(MIGRATIONS)

VERSION_TABLE = """create table if not exists schema_version (
        id bigint primary key check (id = 1),
        version bigint not null
    )"""
SET_VERSION = (
    "insert into schema_version values (1, :version) on conflict (id) do update set version = excluded.version"
)
