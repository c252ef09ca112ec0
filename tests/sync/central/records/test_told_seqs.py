"""When an action happened, by what the kiosk has told: read ahead for many actions as for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.central.records.chains import Chain
from sync.central.records.kiosks import Kiosk, add_kiosk
from sync.central.records.told_seqs import read_window, read_windows_ahead
from sync.central.store.set_transaction import SetTransaction
from sync.central.store.transactions import WriteTransaction
from sync.journey.model import KioskId
from tests.sync.central.centre import Centre

CHAIN = Chain("lobby", 1)
SEQS = range(-1, 12)
TOLD = st.dictionaries(st.integers(0, 10), st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=8)


class Asked(SetTransaction):
    """Notes each statement that it runs."""

    def __init__(self, db: WriteTransaction) -> None:
        super().__init__(db)
        self.statements: list[str] = []

    def _end_ahead_of(self, sql: str) -> None:
        self.statements.append(sql)
        super()._end_ahead_of(sql)


def test_the_windows_of_a_set_are_those_of_its_actions(centre: Centre):
    with centre.store.write() as db:
        add_kiosk(db, Kiosk(KioskId("lobby"), "Lobby", "B", (), 1, 0, None, None))

        @given(TOLD)
        def holds(told: dict[int, tuple[int, int]]) -> None:
            db.execute("delete from told_seqs")
            for seq, (first_ms, last_ms) in told.items():
                row = {"seq": seq, "first_ms": first_ms, "last_ms": last_ms}
                db.execute("insert into told_seqs values ('lobby', 1, :seq, :first_ms, :last_ms, '')", row)
            together = Asked(db)
            read_windows_ahead(together, CHAIN, SEQS)
            assert [read_window(together, CHAIN, seq) for seq in SEQS] == [read_window(db, CHAIN, seq) for seq in SEQS]
            assert len(together.statements) == 1

        holds()
