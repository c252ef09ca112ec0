"""The kinds of rows in the audit. Their one home: a row of another kind does not come into being."""

from enum import StrEnum

KEPT_DAYS = 730  # unless an operator says otherwise


class AuditKind(StrEnum):
    """What a row of the audit says."""

    # Staff, or an operator, were told of patients. Each such row names the patients.
    LOOK_STATE = "look:current_state"
    LOOK_SOCKET = "look:socket"
    LOOK_ACTION = "look:action"  # in the answer to an action, a refusal with the patient's state among them
    LOOK_QUEUE = "look:queue"
    LOOK_BOARD = "look:board"
    LOOK_FIND = "look:find"
    LOOK_DAY = "look:day"
    LOOK_WORKLIST = "look:worklist"
    LOOK_HISTORY = "look:history"
    LOOK_BINDINGS = "look:bindings"
    LOOK_CASES = "look:exceptions"
    LOOK_CASE = "look:exception"
    LOOK_TOKENS = "look:tokens"
    LOOK_CHECK = "look:check"
    LOOK_TAKE_IN = "look:take-in"
    LOOK_IMPORT = "look:import"
    LOOK_DEMO = "look:demo-data"
    LOOK_ACTS = "look:kiosk_acts"
    LOOK_SHADOW = "look:shadow"
    LOOK_DESK = "look:desk"  # a search, a patient, a card, a ticket or two records at the card desk
    LOOK_AUDIT = "look:access-log"
    LOOK_EXPORT = "look:access-log-export"

    # A kiosk was told of patients.
    LOOK_CARD = "look:card"
    TOLD_ROSTER = "told:roster"  # one row a kiosk and day, with the number of patients told
    TOLD_VERDICTS = "told:verdicts"  # leaves no row

    # An integration or a webhook was told of patients: one row a receiver and day, with their number.
    TOLD_EVENTS = "told:events"
    TOLD_IMPORT = "told:import"

    # Who came in, and who did not.
    ENROLLED = "enrolled"
    REFUSED_UNKNOWN = "refused:unknown-token"
    REFUSED_REVOKED = "refused:revoked-token"
    REFUSED_EXPIRED = "refused:expired-token"
    REFUSED_REPLACED = "refused:replaced-token"  # a kiosk's, after its overlap with the newer one
    REFUSED_ROLE = "refused:role"  # the token is valid, and not for this request
    REFUSED_KIOSK = "refused:other-kiosk"  # the token is valid, and the call names another kiosk
    REFUSED_CODE = "refused:enroll-code"
    REFUSED_BIRTH_DATE = "refused:birth-date"  # a wrong one beside the token of a visit, or one too many
    REFUSED_SIGN_IN = "refused:sign-in"  # a wrong password or an unknown login name
    REFUSED_LOCKED = "refused:locked"  # a try to sign in while a lock held, so nothing was tried
    REFUSED_ACCOUNT_CODE = "refused:account-code"
    REFUSED_SIGN_ON = "refused:sign-on"  # what a provider of single sign-on said does not hold, or gives no duty
    SIGN_IN = "sign-in"
    SIGN_IN_LOCKED = "sign-in-locked"  # too many failures: each further one makes the wait longer
    SIGN_OUT = "sign-out"
    IDENTIFIED = "identified"  # the bearer of a visit's token by the birth date, who got a patient's token

    # What staff did besides journeys.
    SETTLE = "settle"
    MERGE = "merge"
    BIND = "bind"
    END_BINDING = "end_binding"
    BLOCK_CARD = "block_card"
    UNBLOCK_CARD = "unblock_card"
    REGISTER_PATIENT = "register_patient"
    CHANGE_PATIENT = "change_patient"
    WALK_IN = "walk_in"
    BOOK_BY_HAND = "book_by_hand"
    COPY_TICKET = "copy_ticket"
    AWAIT_CARD = "await_card"
    END_DESK_CARD = "end_desk_card"

    ACCOUNT = "account"  # an account was made or changed, or a code for one: `did` in the detail says what

    # What operators did.
    ENROLL_CODE = "enroll-code"
    KIOSK_REVOKE = "kiosk-revoke"
    KIOSK_UNDO = "kiosk-undo"
    TAKE_BACK = "take_back"  # what a kiosk did to one patient
    KIOSK_RENEW = "kiosk-renew"
    TAKE_IN = "take-in"
    ISSUE = "token"
    REVOKE = "token-revoke"
    DEMO_DATA = "demo-data"
    CARD_KEYS = "card-keys"
    CLOCK = "clock"
    BACKUP = "backup"
    RESTORED = "restored"  # the database turned out to be an older copy, or to have lost its last changes
    SITE = "site"
    IMPORT = "import"
    IMPORT_DAY = "import-day"
    LEGACY = "migrate-legacy"
    WEBHOOK = "webhook"

    # What the log itself tells.
    LOG_DELETED = "access-log-deleted"  # blocks that were kept long enough

    # What the hospital's other system did against the rules, to one patient.
    WORD_CORRECTED = "word-corrected"

    # What the tokens of a kiosk or of an app, and a kiosk's chain, showed.
    RENEWED = "token-renewed"
    FORK = "fork"
    REWRITTEN = "rewritten"
    GAP = "gap"
