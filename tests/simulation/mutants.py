"""Breaks the protocol on purpose in a copy of the tree, one way at a time. The simulation must catch each breakage.

A simulation without findings proves something only where its power is known. A mutant is the exact text of one place
and its replacement. A text that does not occur exactly once is an error, so that every outdated mutant is noticed.
`python -m tests.simulation.mutants [NAME…]` hunts the mutants and prints a table.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.mutant import Mutant
from tests.simulation.mutants_believed import BELIEVED

HOUSE = Path(__file__).resolve().parents[2]
COPIED = ("kiosk", "sync", "hardware", "tests")


@dataclass(frozen=True, slots=True)
class Caught:
    """The number of schedules until one caught a mutant, and the kinds of problems that it found."""

    schedules: int
    kinds: tuple[str, ...]


_RETIRE_ALL = """self.ledger.retire([__import__("sync.protocol").protocol.VerdictRow(action_id=__import__("json").loads(
                bytes(each.body))["action_id"], seq=0, verdict="{verdict}", code="ok") for each in actions])
"""
_REFUSED = "        if isinstance(outcome, CallRefused):\n            if outcome.code is EndCode.MALFORMED:\n"
_ANSWERED = "        result = self._retire(identity, outcome.answer)\n"


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a parked action counts as judged",
        "kiosk/store/outbox_parked.py",
        "set epoch = ?, seq = rowid, parked_ms = ?",
        "set epoch = ?, seq = rowid, status = 'superseded', parked_ms = ?",
        100,
    ),
    Mutant(
        "a parked action never tried again",
        "sync/agent/steps.py",
        "            self.ledger.unpark(trial.opaque.action_id)\n",
        "            pass\n",
        100,
    ),
    Mutant(
        "no dedupe by id",
        "sync/central/kiosks/judge_link.py",
        "record = _judged_before(db, link)",
        "record = None",
        100,
    ),
    Mutant(
        "discard on reject",
        "sync/agent/steps.py",
        _REFUSED,
        f"        if isinstance(outcome, CallRefused):\n            {_RETIRE_ALL.format(verdict='superseded')}"
        "            if outcome.code is EndCode.MALFORMED:\n",
        20,
    ),
    Mutant(
        "acknowledged by the HTTP status",
        "sync/agent/steps.py",
        _ANSWERED,
        f"        {_RETIRE_ALL.format(verdict='applied')}{_ANSWERED}",
        20,
    ),
    Mutant(
        "no fork check",
        "sync/central/kiosks/links.py",
        "if receipt is None or receipt.hash != link.hash:",
        "if receipt is None:",
        300,
    ),
    Mutant(
        "no new incarnation after a restore",
        "sync/central/maintenance/incarnation.py",
        "if joins or _matches(db, marker):",
        "if known is not None:",
        100,
    ),
    Mutant(
        "the cursors of other incarnations count",
        "sync/central/kiosks/cursors.py",
        "if not is_of_now or request.cursor <= moment.latest:",
        "if request.cursor <= moment.latest:",
        300,
    ),
    Mutant(
        "a restore makes strangers of patients",
        "sync/central/kiosks/claims.py",
        " or _may_know_lost_rows(db, batch)",
        "",
        300,
    ),
    Mutant(
        "no check where a page was asked for",
        "kiosk/journey/ledger.py",
        "if pages.is_overtaken(page, before.identity):",
        "if False:",
        100,
    ),
    Mutant(
        "no site check at a push",
        "sync/central/kiosks/push.py",
        "refused = of_other_site(db, request.site_id)",
        "refused = None",
        100,
    ),
    Mutant(
        "no site check at a page",
        "kiosk/journey/pages.py",
        "if page.site_id != identity.site_id:",
        "if False:",
        100,
    ),
    Mutant(
        "actions of a left site not set aside",
        "kiosk/journey/ledger.py",
        "file = old_site.set_aside_somewhere(db, aside) if aside else None",
        "file = aside",
        100,
    ),
    Mutant(
        "only pending actions set aside",
        "kiosk/store/old_site.py",
        """_KEPT = f"(status in ('pending', 'needs_staff') or not {BACKED_UP})\"""",
        """_KEPT = "(status = 'pending')\"""",
        300,
    ),
    Mutant(
        "watermark and verdict without the effect",
        "sync/central/conflicts/judge.py",
        "journey = _apply(db, judged, resolution)",
        "journey = evidence.journey",
        20,
    ),
    Mutant(
        "rebase drops what is pending",
        "kiosk/journey/views.py",
        "pending = outbox.pending_of(db, patient.patient_id, identity.actions, identity.site)",
        "pending = []",
        20,
    ),
    Mutant(
        "a verdict retires other rows",
        "kiosk/store/outbox.py",
        '"update outbox set status = ?, code = ?, revision = ?, judged_ms = ?, held = null where action_id = ?"',
        '"update outbox set status = ?, code = ?, revision = ?, judged_ms = ?, held = null"'
        ' " where patient_id = (select patient_id from outbox where action_id = ?)"',
        20,
    ),
    Mutant(
        "visit alias not followed",
        "sync/central/conflicts/gather.py",
        "visit = read_visit(db, intent.visit_id)",
        "visit = (found := read_visit(db, intent.visit_id)) and (found if found.visit_id == intent.visit_id else None)",
        100,
    ),
    Mutant(
        "base overwritten by an older page",
        "kiosk/journey/pages.py",
        "if known and known.base_version(generation) > patient.base.journey_version:",
        "if False:",
        300,
    ),
    Mutant(
        "the cursor moves before the rows of its page",
        "kiosk/journey/adoption.py",
        "        yield from self._notices()\n",
        "        self._move_cursor()\n        yield\n        yield from self._notices()\n",
        100,
    ),
    Mutant(
        "receipts not kept",
        "sync/central/kiosks/judge_link.py",
        "    _add_receipt(db, batch, link, record)\n"
        "    return verdict_row(record, intent.action_id, link.seq, judged.journey)",
        "    return verdict_row(record, intent.action_id, link.seq, judged.journey)",
        20,
    ),
    Mutant(
        "chain not renumbered after a fork",
        "kiosk/store/outbox_epochs.py",
        "renumbered = msgspec.structs.replace(pending, kiosk_id=kiosk_id, epoch=epoch, seq=seq)",
        "renumbered = pending",
        100,
    ),
    Mutant(
        "nothing sent again after a restore",
        "kiosk/journey/ledger.py",
        "            if restored:\n                outbox_epochs.reopen(db)\n",
        "            if restored:\n",
        100,
    ),
    Mutant(
        "only this epoch sent again after a restore",
        "kiosk/store/outbox_epochs.py",
        "where status <> 'pending'\")\n    identity",
        "where status <> 'pending' and epoch = (select epoch from identity)\")\n    identity",
        300,
    ),
    Mutant(
        "cards of before stay",
        "kiosk/journey/pages.py",
        "patients.bind_only(db, row.patient_id, cards)",
        "patients.bind(db, row.patient_id, cards)",
        100,
    ),
    Mutant(
        "a roster started afresh keeps whom it does not name",
        "kiosk/journey/adoption.py",
        "while leavers := roster.unnamed(self._db, self._generation, _PATIENTS_AT_ONCE):",
        "while leavers := []:",
        300,
    ),
    Mutant(
        "lost cards of a page forgotten",
        "kiosk/journey/adoption.py",
        "            blocked_cards.block(self._db, some, self._generation)\n",
        "",
        100,
    ),
    Mutant(
        "a card key published before the cards have it",
        "sync/central/maintenance/card_rotation.py",
        "[(table, key_id) for key_id in walk.former for table in LASTING], Step.PUBLISH)",
        "[], Step.PUBLISH)",
        20,
    ),
    Mutant(
        "cards judged under the key that they came with",
        "sync/central/kiosks/judge_link.py",
        "card=batch.keys.lift(intent.card)",
        "card=intent.card",
        300,
    ),
    Mutant(
        "a kiosk does not lift its cards to a new key",
        "kiosk/journey/new_card_keys.py",
        "    while _has_older_cards(kiosk):",
        "    while False:",
        300,
    ),
    Mutant(
        "numbers in use are given again",
        "sync/journey/queue_numbers.py",
        "    return use.is_undecided or use.site_day >= since_day or now_ms - use.last_ms < IN_USE_MS",
        "    return False",
        20,
        nights=True,
    ),
    Mutant(
        "a kiosk notes no numbers of its patients",
        "kiosk/journey/views.py",
        "    queue_numbers.note_in_use(db, own, site_day, context.at_ms)\n",
        "",
        100,
        nights=True,
    ),
    Mutant(
        "a kiosk begins a day's numbers by its clock",
        "kiosk/journey/transaction_context.py",
        'return self.day_of(self.identity.as_of_ms) if self.identity.as_of_ms is not None else ""',
        "return self.today",
        100,
        nights=True,
    ),
    Mutant(
        "numbers of undecided actions are given again",
        "sync/journey/queue_numbers.py",
        "    return use.is_undecided or use.site_day",
        "    return use.site_day",
        300,
        nights=True,
    ),
    Mutant(
        "what lies on the disk is taken for what was written",
        "kiosk/store/outbox_bodies.py",
        'if digest(row["body"]) != row["digest"]:',
        "if False:",
        300,
    ),
    Mutant(
        "the answer of a past centre retires",
        "kiosk/journey/ledger.py",
        "if incarnations and identity.server_incarnation not in incarnations:",
        "if False:",
        2000,
    ),
    *BELIEVED,
)


def hunt(mutant: Mutant, first: int = 0) -> Caught | None:
    """Plays schedules on a broken copy of the tree until one fails. Returns None where none fails."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for part in COPIED:
            shutil.copytree(HOUSE / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        _break(copy / mutant.file, mutant)
        completed = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.simulation.hunting",
                str(first),
                str(mutant.within),
                *["nights"] * mutant.nights,
                *["lied_to"] * mutant.lied_to,
            ],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode:
            raise RuntimeError(f"{mutant.name}: {completed.stderr[-2000:]}")
        answer = json.loads(completed.stdout)
        return Caught(answer["schedules"], tuple(answer["kinds"])) if answer["kinds"] else None


def _break(file: Path, mutant: Mutant) -> None:
    before = file.read_text()
    if before.count(mutant.text) != 1:
        raise ValueError(f"{mutant.name}: {mutant.file} holds its text {before.count(mutant.text)} times, not once")
    file.write_text(before.replace(mutant.text, mutant.instead))


def main(names: list[str]) -> int:
    """Hunts the mutants of these names, or all, and prints the table. Returns 1 where a mutant was not caught."""
    missed = 0
    print("| mutant | caught by schedule | as | stated |\n|---|---|---|---|")
    for mutant in MUTANTS:
        if names and mutant.name not in names:
            continue
        caught = hunt(mutant)
        missed += caught is None
        found = f"{caught.schedules} | {', '.join(caught.kinds)}" if caught else "**not caught** |"
        print(f"| {mutant.name} | {found} | {mutant.within} |", flush=True)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
