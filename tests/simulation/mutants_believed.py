"""Breakages by which the centre believes a kiosk that lies. `mutants.py` hunts them."""

from __future__ import annotations

from tests.simulation.mutant import Mutant


def _believed(name: str, file: str, text: str, instead: str = "", within: int = 100) -> Mutant:
    """A breakage by which the centre believes a kiosk that lies."""
    return Mutant(name, file, text, instead, within, lied_to=True)


BELIEVED: tuple[Mutant, ...] = (
    _believed(
        "an invented id becomes another name of a card's holder",
        "sync/central/kiosks/claims.py",
        '    Claim("its id for the holder of an unknown card is not one that a kiosk makes", '
        "_names_a_stranger_by_its_own_id),\n",
    ),
    _believed(
        "a queue number is any text",
        "sync/central/kiosks/claims.py",
        '    Claim("its queue number is none", _has_a_number),\n',
    ),
    _believed(
        "a queue number is anybody's",
        "sync/central/kiosks/claims.py",
        "    Claim(\"its queue number is another kiosk's, or the centre's\", _has_its_own_number),\n",
    ),
    _believed(
        "an id names any patient",
        "sync/central/kiosks/claims.py",
        '    Claim("the centre never named its patient to a kiosk", _names_whom_it_was_told_of, NOT_NAMED,'
        " may_count=True),\n",
        within=300,
    ),
    _believed(
        "a visit and an entry are opened under ids of others",
        "sync/central/kiosks/claims.py",
        '    Claim("it would open a visit or an entry under an id that is another patient\'s",'
        " _opens_what_is_its_patients),\n",
    ),
    _believed(
        "any cursor shows that the centre was set back",
        "sync/central/kiosks/cursors.py",
        "Cursor.LOST if is_given else Cursor.MADE_UP",
        "Cursor.LOST",
    ),
    _believed(
        "another's card counts",
        "sync/central/conflicts/resolve.py",
        "return _to_staff(Code.REBOUND) if others else None",
        "return None",
    ),
    _believed(
        "a kiosk does what it is not granted",
        "sync/central/conflicts/resolve.py",
        "return None if may_send(case.rule, case.action.actor) else _to_staff(Code.FORBIDDEN)",
        "return None",
    ),
    _believed(
        "an action waits in a case about another kiosk's",
        "sync/central/records/waiting.py",
        '    "(kiosk_id = :kiosk_id or (exists',
        "    \"(kiosk_id <> '' or kiosk_id = :kiosk_id or (exists",
    ),
    _believed(
        "an action happened when its kiosk says",
        "sync/central/conflicts/evidence.py",
        "return replace(claimed, at_ms=min(at_ms, self.received_ms))",
        "return claimed",
    ),
    _believed(
        "an action happened as early as its kiosk says",
        "sync/central/conflicts/evidence.py",
        "if self.window.earliest_ms is not None:",
        "if False:",
    ),
    _believed(
        "a kiosk has any number of rows for what it tells",
        "sync/central/records/told_seqs.py",
        '"before": MOST - 1}',
        '"before": 10**9}',
        100,
    ),
    _believed(
        "a pull without a backlog tells of actions that are not there",
        "sync/central/kiosks/contact.py",
        "if request.backlog is None or not request.chain_hash or",
        "if not request.chain_hash or",
    ),
    _believed(
        "a pull without a hash tells of actions that are not there",
        "sync/central/kiosks/contact.py",
        "if request.backlog is None or not request.chain_hash or",
        "if request.backlog is None or",
    ),
    _believed(
        "a pull that tells less than before tells nothing",
        "sync/central/records/told_seqs.py",
        "    _write(db, kiosk_id, told, now_ms)\n    #",
        "    if not db.row('select 1 from told_seqs where kiosk_id = :k and epoch = :e and seq > :s', k=kiosk_id,"
        " e=told.epoch, s=told.seq):\n        _write(db, kiosk_id, told, now_ms)\n    #",
    ),
    _believed(
        "a pull after a push tells nothing",
        "sync/central/kiosks/contact.py",
        "return noted_ms is None or noted_ms < present.now_ms - noted_every_ms(standing.kiosk.kiosk_id)",
        "return noted_ms is None",
    ),
    _believed(
        "the hash that a pull told is not compared",
        "sync/central/kiosks/push.py",
        "    hold_against_told(db, batch, fitted.fresh)\n",
    ),
)
