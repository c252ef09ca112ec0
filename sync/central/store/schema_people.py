"""The tables of people: accounts, their codes, and what keeps strangers out, in the SQL of schema.py. No patients."""

# Before the tokens, which refer to an account.
ACCOUNT_TABLES: tuple[str, ...] = (
    """create table accounts (
        account_id text primary key,       -- UUIDv7
        login text not null unique,        -- as `login_of` folds it; it never changes, since history has it
        name text not null,
        duties text not null,              -- names of duties with spaces between them
        password_hash text,                -- argon2id in the PHC format; null: the person signs in elsewhere
        issuer text,                       -- of the provider of single sign-on, like the next one; null: not linked
        subject text,
        created_ms bigint not null,
        password_ms bigint,                -- when the person chose the password
        disabled_ms bigint,                -- null: the account is in use
        signed_in_ms bigint,               -- the last time; null: never
        unique (issuer, subject)
    )""",
)

SIGN_IN_TABLES: tuple[str, ...] = (
    # Codes that let one person choose a login name and a password, or a new password.
    """create table account_codes (
        code_hash text primary key,        -- SHA-256; the code itself is shown once
        code_id text not null unique,      -- UUIDv7
        account_id text references accounts (account_id),  -- whose password it sets; null: it makes an account
        name text not null,                -- of the person who is invited; empty for the person to say
        duties text not null,
        made_by text not null,
        made_ms bigint not null,
        expires_ms bigint not null
    )""",
    # Wrong passwords and codes in a row. A right one deletes its row.
    """create table sign_in_failures (
        whose text primary key,            -- an account, an address or a known browser, as a hash
        count bigint not null,
        last_ms bigint not null,
        until_ms bigint not null           -- nothing is tried before
    )""",
    # Browsers in which a person has signed in: a lock against strangers does not hold for them.
    """create table known_browsers (
        browser_hash text primary key,     -- SHA-256 of what is in the cookie
        account_id text not null references accounts (account_id),
        used_ms bigint not null
    )""",
    "create index known_browsers_of_account on known_browsers (account_id)",
    """create table sign_in_settings (
        id bigint primary key check (id = 1),
        document text not null             -- JSON: when sessions end, and the provider of single sign-on
    )""",
    # Sign-ins that a provider of single sign-on has not answered yet.
    """create table provider_attempts (
        state_hash text primary key,       -- SHA-256 of what is in the browser's cookie
        nonce text not null,
        verifier text not null,            -- of PKCE (RFC 7636)
        next text not null,                -- the page that the person wanted
        begun_ms bigint not null
    )""",
)
