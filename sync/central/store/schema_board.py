"""The tables behind the board of staff: what their presses have changed, and what never leaves the centre."""

BOARD_TABLES = (
    # Presses of staff on queue entries, with the way back. Those of an ended day are deleted.
    """create table presses (
        action_id text primary key,
        patient_id text not null references patients (patient_id),
        queue_id text,                     -- the entry; null: a booking without one
        action text not null,
        who text not null,
        at_ms bigint not null,
        change bigint not null,            -- change number of the press
        site_day text not null,
        before text not null,              -- JSON: what the press has changed, as it was before
        from_version bigint,               -- journey_version before the press; null: the journey did not change
        holds_version bigint,              -- the journey_version at which nothing newer has happened
        undone_ms bigint,                  -- null: in force
        undone_version bigint              -- journey_version before the undo
    )""",
    # What staff keep of an entry. It never leaves the centre but to staff.
    """create table entry_marks (
        queue_id text primary key references entries (queue_id),
        priority_kind text not null,       -- a kind of the definitions; empty without one
        priority_reason text not null,
        note text not null,                -- empty without one
        note_by text not null,
        note_ms bigint,
        note_action text                   -- the press that left the note as it is
    )""",
    "create index presses_of_patient on presses (patient_id, holds_version)",
    "create index presses_by_day on presses (site_day)",
)
