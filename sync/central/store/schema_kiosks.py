"""The tables of the wire to the kiosks, in the SQL of schema.py."""

_KIOSKS = (
    """create table kiosks (
        kiosk_id text primary key,
        name text not null,
        ticket_prefix text not null,       -- prefix of the queue numbers that it prints; unique while it may be in use
        grants text not null,              -- JSON list: the granted kinds of kiosk and actions
        epoch bigint not null,             -- number of its present chain
        enrolled_ms bigint not null,
        seen_ms bigint,                    -- last contact
        revoked_ms bigint,
        answered_ms bigint,                -- last pull that shows that the answer before it arrived
        unanswered_ms bigint,              -- first contact without such a pull before it; null while answers arrive
        renewal_asked_ms bigint            -- when an operator asked for a new token; null: none is asked for
    )""",
    """create table backlogs (
        kiosk_id text primary key references kiosks (kiosk_id),
        waiting bigint not null,           -- actions at the kiosk without a verdict, as its last pull told
        since_ms bigint not null,          -- when the oldest was done
        oldest bigint not null,            -- the kiosk's own number for the oldest
        parked bigint not null,            -- those that the network between does not let pass
        first_told_ms bigint not null,     -- the first pull that told this oldest action
        told_ms bigint not null            -- the last one
    )""",
    """create table kiosk_card_keys (
        kiosk_id text primary key references kiosks (kiosk_id),
        key_id text not null               -- its newest card key, as its last pull told; perhaps none of the centre's
    )""",
    # Kiosks that may hold actions about rows that a restore of the centre has lost.
    """create table catching_up (
        kiosk_id text primary key references kiosks (kiosk_id),
        since_ms bigint not null           -- the restore, or the kiosk's enrolment after one
    )""",
    """create table enrol_codes (
        code_hash text primary key,        -- SHA-256; the code itself is shown once and stored nowhere
        grants text not null,              -- JSON list: the most that it grants
        secret text not null,              -- 32 bytes in hex: with the kiosk's attempt it makes the kiosk's first token
        created_ms bigint not null,
        kiosk_id text                      -- the kiosk that has used the code; null: nobody has
    )""",
    """create table enrol_failures (
        failure_id text primary key,       -- UUIDv7
        origin text not null,              -- network address
        at_ms bigint not null
    )""",
    "create index failures_by_time on enrol_failures (at_ms)",
    """create table roster_day (
        id bigint primary key check (id = 1),
        site_day text not null,
        first_change bigint not null       -- a pull cursor below it is from an earlier day
    )""",
    """create table roster_guests (
        patient_id text primary key,
        site_day text not null             -- the day on which a kiosk has looked the patient up
    )""",
    """create table lookups (
        kiosk_id text primary key,
        times text not null                -- JSON list: the look-ups of the last minute (UTC ms)
    )""",
    # Cards for the desk: one that staff await at a kiosk, or one that a kiosk in desk mode has read.
    """create table desk_cards (
        ask_id text primary key,           -- UUIDv7
        kiosk_id text not null references kiosks (kiosk_id),
        who text not null,                 -- who awaits the card; empty for a card that nobody has asked for
        asked_ms bigint not null,
        until_ms bigint not null,          -- no card counts after it
        shown_ms bigint,                   -- when the kiosk said that its screen asks for the card
        read_ms bigint,                    -- when the centre got the card; null: none came yet
        key_id text not null,              -- the card as its hash; empty: none came yet
        uid_hash text not null,
        short_uid bigint not null,         -- 1: a card of iso14443a with a UID of 4 bytes
        refused text not null,             -- why the kiosk refused the last card that cannot be used; empty: it did not
        ended_ms bigint,                   -- bound, discarded, or cancelled; null: not yet
        ended_how text not null            -- bound, discarded, cancelled, or cancelled_at_kiosk; empty: not yet
    )""",
    "create index desk_cards_of_kiosk on desk_cards (kiosk_id, asked_ms)",
    # Kiosks in desk mode have said that every card they read is for the desk.
    """create table desk_readers (
        kiosk_id text primary key references kiosks (kiosk_id),
        said_ms bigint not null
    )""",
)

_CHAINS = (
    """create table named_cards (
        kiosk_id text primary key references kiosks (kiosk_id),
        until_ms bigint not null           -- a reader could have read by then all cards that actions have named
    )""",
    """create table chains (
        kiosk_id text not null references kiosks (kiosk_id),
        epoch bigint not null,
        last_seq bigint not null,
        last_hash text not null,           -- head of the hash chain
        times_asked bigint not null,       -- how often in a row the kiosk was asked for the next seq
        backed_up_seq bigint not null,     -- the last seq that a verified backup of this database holds
        primary key (kiosk_id, epoch)
    )""",
    """create table told_seqs (
        kiosk_id text not null references kiosks (kiosk_id),
        epoch bigint not null,
        seq bigint not null,               -- the end of the kiosk's chain, as a pull told it
        first_ms bigint not null,          -- the first such pull
        last_ms bigint not null,           -- the last one, to the minute
        hash text not null,                -- of the action of that seq, as the first one told it; empty: not told
        primary key (kiosk_id, epoch, seq)
    )""",
    """create table receipts (
        kiosk_id text not null,
        epoch bigint not null,
        seq bigint not null,
        hash text not null,                -- in the chain of this epoch
        verdict_id text not null,          -- the action's id, or an id of the centre's where the action has none
        primary key (kiosk_id, epoch, seq)
    )""",
    "create index receipts_of_verdict on receipts (verdict_id, kiosk_id)",
)

_VERDICTS = (
    # One row for each revision of a verdict: the record of each decision and its grounds.
    """create table verdicts (
        verdict_id text not null,          -- as in receipts
        revision bigint not null,
        kiosk_id text not null,
        seq bigint not null,
        patient_id text,
        visit_id text,
        verdict text not null,
        code text not null,
        conflict bigint not null,          -- row of the table of conflicts; 0: no conflict
        from_state text,                   -- journey state before the action
        to_state text,                     -- journey state after the action
        changed_version bigint,            -- journey_version after the action; null: it changed no journey
        definitions_version bigint,        -- of the rules that the kiosk judged by
        counterpart text,                  -- the action that this one met
        change bigint not null,            -- change number under which kiosks pull it; 0: in the answer to its push
        recorded_ms bigint not null,
        primary key (verdict_id, revision)
    )""",
    "create index verdicts_of_patient on verdicts (patient_id, kiosk_id, changed_version)",
    "create index verdicts_to_pull on verdicts (kiosk_id, change)",
    "create index verdicts_by_change on verdicts (change)",
    "create index verdicts_of_kiosk on verdicts (kiosk_id, recorded_ms, verdict_id)",
    # What the actions of kiosks have changed. It shows the way back, where all that a kiosk did is taken back.
    """create table effects (
        verdict_id text primary key,
        kiosk_id text not null,
        patient_id text not null references patients (patient_id),
        visit_id text,
        changed text not null,             -- JSON: what was changed, as it was before
        seq bigint not null,               -- the order of the kiosk's own actions
        recorded_ms bigint not null,
        ended_ms bigint,                   -- when it was taken back, or left to staff; null: in force
        exception_id text                  -- the case in which staff have to decide on it
    )""",
    "create index effects_of_patient on effects (patient_id)",
    "create index effects_in_force on effects (kiosk_id, patient_id, recorded_ms) where ended_ms is null",
    # What was taken back of kiosks. An action of that time that comes later waits for staff.
    """create table undos (
        kiosk_id text not null references kiosks (kiosk_id),
        since_ms bigint not null,
        until_ms bigint,                   -- null: to the end, since the kiosk is revoked
        reason text not null,
        who text not null,
        at_ms bigint not null,             -- of the first time
        primary key (kiosk_id, since_ms)
    )""",
)

_WAITING = (
    # Actions that wait for staff, complete, so that they can be judged again. A row goes when its action is judged
    # again.
    """create table waiting (
        verdict_id text primary key,
        exception_id text not null references exceptions (exception_id),
        kiosk_id text not null,
        seq bigint not null,
        visit_id text not null,            -- aliases resolved
        code text not null,
        intent text not null,              -- JSON Intent
        sent_clock text not null,          -- JSON ClockReading: the kiosk's clocks when it sent the action
        received_ms bigint not null,
        earliest_ms bigint,                -- it happened between the two; null where an end is unknown
        latest_ms bigint
    )""",
    "create index waiting_of_visit on waiting (visit_id)",
    "create index waiting_of_case on waiting (exception_id)",
    """create table waiting_cards (
        key_id text not null,
        uid_hash text not null,
        verdict_id text not null references waiting (verdict_id),
        primary key (key_id, uid_hash, verdict_id)
    )""",
    "create index waiting_cards_of_action on waiting_cards (verdict_id)",
    # Bodies that cannot be read or judged, as received, for staff to examine.
    """create table quarantine (
        verdict_id text primary key,
        exception_id text not null references exceptions (exception_id),
        kiosk_id text not null,
        epoch bigint not null,
        seq bigint not null,
        reason text not null,
        body text not null,
        received_ms bigint not null,
        action_id text                     -- by which the kiosk knows it, where that is a UUID
    )""",
    "create index quarantine_of_case on quarantine (exception_id)",
)

KIOSK_TABLES: tuple[str, ...] = (*_KIOSKS, *_CHAINS, *_VERDICTS, *_WAITING)
