"""A kiosk's tokens, against the real centre: whatever happens while one is renewed, the kiosk has one that works."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.config import Config, check_config
from kiosk.enrolment import TOKENS_KEPT, PendingEnrolment
from kiosk.store.identity import token_hash
from kiosk.store.sqlite import Store
from kiosk.tokens import KioskTokens
from sync.agent.client import RENEWAL_PATH, CentralClient
from sync.agent.cycle import PULL, PUSH, Agent
from sync.agent.renewal import AGAIN_AFTER_S
from sync.agent.steps import StepResult
from sync.central.kiosks.renewal import RENEW_AFTER_MS
from sync.central.records.tokens import OVERLAP_MS
from sync.durable import prepare_secret
from sync.protocol import EndCode, Enrolment
from tests.kiosk import samples
from tests.kiosk.parts import KioskParts
from tests.kiosk.real_centre import RealCentre
from tests.middlebox import Request, Response
from tests.sync.central.wire import cards_of


class Box:
    """A kiosk's directory, opened as the daemon opens it. Its agent makes steps when a test says so."""

    def __init__(self, directory: Path, url: str) -> None:
        self.config: Config = check_config({"store": {"path": str(directory / "kiosk.db")}}, "a test")
        self.url = url
        self.now_s = 0.0
        self.open()

    def open(self) -> None:
        self.store = Store(self.config.store_path)
        self.parts = KioskParts(self.store, samples.Clock())
        self.enrolment = PendingEnrolment(self.config, self.parts.ledger)
        self.start()

    def start(self, kind: type[KioskTokens] = KioskTokens) -> None:
        """An agent as after a start of the daemon."""
        self.tokens = kind(self.enrolment)
        self.agent = Agent(
            self.parts.ledger,
            lambda: CentralClient(self.url, self.tokens.present()),
            lambda _: None,
            wait_s=0,
            monotonic=lambda: self.now_s,
            tokens=self.tokens,
        )

    def close(self) -> None:
        self.agent.stop()
        self.store.close()

    def pull(self) -> StepResult:
        """Pulls until there is nothing more to do at once."""
        for _ in range(20):
            result = self.agent.step(PULL)
            if not result.again:
                return result
        raise AssertionError("it never comes to rest")

    def kept(self) -> list[str]:
        return self.config.token_path.read_text("utf-8").split()


class Place(RealCentre):
    """A centre and one kiosk."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.box = self.boxed(directory / "box", "lobby")
        self.first = self.box.kept()[0]

    def boxed(self, directory: Path, kiosk_id: str) -> Box:
        """A box that is enrolled and has called the centre."""
        directory.mkdir()
        box = Box(directory, self.between.url)
        box.enrolment.complete(self.centre.enrol(kiosk_id=kiosk_id))
        assert box.pull().is_current
        return box

    def renewed(self) -> str:
        """Renews the box's token, and returns the new one."""
        self.do("kiosk-renew", kiosk_ids=["lobby"])
        assert self.box.pull().is_current
        assert self.box.pull().is_current
        return self.box.kept()[0]

    def is_present(self, token: str) -> bool:
        """Whether the centre takes the token for the kiosk's present one, which was used."""
        found = self.rows("select used_ms, replaced_ms from tokens where token_hash = :it", it=token_hash(token))
        return [(row["used_ms"] is not None, row["replaced_ms"]) for row in found] == [(True, None)]

    def close(self) -> None:
        self.box.close()
        super().close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def of_renewal(request: Request) -> bool:
    return request.path == RENEWAL_PATH


def sent_last(place: Place) -> str | None:
    return place.between.seen[-1].header("Authorization")


def test_a_kiosk_renews_its_token_after_a_month_and_both_its_threads_use_the_new_one(place: Place):
    assert place.box.agent.step(PUSH).failed is False
    place.centre.time.now_ms += RENEW_AFTER_MS
    assert place.box.pull().is_current
    new, former = place.box.kept()
    assert (former, place.box.config.token_path.stat().st_mode & 0o777) == (place.first, 0o600)
    for name in (PUSH, PULL):
        place.box.parts.journeys.tap(cards_of("P1" if name == PUSH else "P2"), ("scan_nfc",))
        assert not place.box.agent.step(name).failed
        assert sent_last(place) == f"Bearer {new}"
    assert place.is_present(new)
    place.centre.time.now_ms += OVERLAP_MS
    assert place.box.pull().is_current
    assert place.centre.open_cases() == []
    place.box.start()
    assert place.box.pull().is_current
    assert sent_last(place) == f"Bearer {new}"


def test_a_lost_answer_fails_no_pull_and_is_asked_for_again_in_a_minute(place: Place):
    place.do("kiosk-renew")
    place.lose(1, of_renewal)
    for _ in range(3):
        assert place.box.pull().is_current
    assert place.box.kept() == [place.first]
    assert len([each for each in place.between.seen if of_renewal(each)]) == 1
    assert place.box.agent.renewal_fault.startswith("cut_short: ")
    assert "let the network pass POST /api/v1/kiosks/token" in place.box.agent.renewal_fault
    place.box.now_s += AGAIN_AFTER_S
    assert place.box.pull().is_current
    assert place.box.agent.renewal_fault == ""
    assert place.box.kept()[1:] == [place.first]
    assert place.box.pull().is_current
    assert place.is_present(place.box.kept()[0])


def test_a_file_that_takes_no_token_leaves_the_present_one_and_is_named(place: Place):
    in_the_way = place.box.config.token_path.with_name("kiosk.db.token.new")
    in_the_way.mkdir()
    place.do("kiosk-renew")
    assert place.box.pull().is_current
    assert "not_saved: the new token cannot be saved: [Errno 21]" in place.box.agent.renewal_fault
    assert place.box.pull().is_current
    assert sent_last(place) == f"Bearer {place.first}"
    in_the_way.rmdir()
    place.box.now_s += AGAIN_AFTER_S
    assert place.is_present(place.renewed())


class BrokenTokens(KioskTokens):
    """Tokens of a kiosk whose database fails while a new one is saved."""

    def keep(self, token: str, asked_with: str | None) -> None:
        raise sqlite3.OperationalError("disk I/O error")


def test_a_renewal_that_breaks_fails_no_pull(place: Place, caplog: pytest.LogCaptureFixture):
    place.box.start(BrokenTokens)
    place.do("kiosk-renew")
    for _ in range(2):
        assert place.box.pull().is_current
    assert "the renewal of the token failed" in caplog.text
    assert "nk_" not in caplog.text


@pytest.mark.parametrize(
    ("site_id", "token", "words"),
    [
        ("elsewhere", "nk_01234567890123456789012345678901", "other_site: another hospital"),
        ("own", r"nk_0123456789012345\n6789012345678901", "not_protocol: "),
        ("own", "nk_short", "not_protocol: "),
        ("own", "nk_" + "x" * 254, "not_protocol: "),
    ],
)
def test_an_answer_that_holds_no_token_of_this_kiosk_is_not_kept(place: Place, site_id: str, token: str, words: str):
    body = f'{{"site_id": "{site_id}", "token": "{token}", "versions": [2]}}'
    place.do("kiosk-renew")
    place.lose(1, of_renewal, Response(200, (("Content-Type", "application/json"),), body.encode()))
    assert place.box.pull().is_current
    assert place.box.agent.renewal_fault.startswith(words)
    assert place.box.kept() == [place.first]


def test_a_refused_renewal_says_what_the_centre_says(place: Place):
    place.do("kiosk-renew")
    place.between.rewrite(lambda request, answer: _not_asked_for(place, request, answer))
    assert place.box.pull().is_current
    assert place.box.agent.renewal_fault == "try_later: the token is not due to be renewed"


def _not_asked_for(place: Place, request: Request, answer: Response) -> Response:
    if not of_renewal(request):
        place.change("update kiosks set renewal_asked_ms = null")
    return answer


def test_a_centre_that_was_set_back_is_called_with_the_former_token_and_nothing_shows(place: Place):
    new = place.renewed()
    forget(place, new)
    place.change("update tokens set replaced_ms = null")
    result = place.box.pull()
    assert (result.is_current, place.box.agent.refusal, place.box.agent.reason) == (True, None, "")
    assert sent_last(place) == f"Bearer {place.first}"
    assert not place.box.agent.step(PUSH).failed
    assert place.box.agent.online
    newest = place.renewed()
    assert place.is_present(newest)
    assert place.box.kept() == [newest, new, place.first]


def test_a_kiosk_follows_a_database_that_was_exchanged_and_put_back(place: Place):
    new = place.renewed()
    place.change(f"update tokens set token_hash = 'x' || token_hash where token_hash = '{token_hash(new)}'")
    place.change("update tokens set replaced_ms = null")
    assert place.box.pull().is_current
    assert sent_last(place) == f"Bearer {place.first}"
    place.change("update tokens set token_hash = substr(token_hash, 2) where token_hash like 'x%'")
    place.change(f"update tokens set replaced_ms = 0 where token_hash = '{token_hash(place.first)}'")
    assert place.box.pull().is_current
    assert (sent_last(place), place.box.agent.refusal) == (f"Bearer {new}", None)


def forget(place: Place, *tokens: str) -> None:
    """Makes the centre forget these tokens, as a restore from an old backup does."""
    for token in tokens:
        place.change(f"delete from tokens where token_hash = '{token_hash(token)}'")


def test_a_kiosk_of_whose_tokens_the_centre_knows_none_says_so_keeps_all_and_goes_on_trying(place: Place):
    place.renewed()
    place.change("update tokens set token_hash = 'x' || token_hash")
    result = place.box.pull()
    assert (result.failed, place.box.agent.refusal) == (True, EndCode.NOT_KNOWN)
    assert place.box.agent.reason.startswith("not_known: the centre does not know this kiosk's token")
    assert place.box.parts.patient_of_card(cards_of("P1")) == "P1"
    place.change("update tokens set token_hash = substr(token_hash, 2)")
    assert place.box.pull().is_current
    assert place.box.agent.refusal is None


def test_a_kiosk_whose_disk_was_set_back_keeps_all_and_says_what_to_do(place: Place):
    place.renewed()
    place.box.config.token_path.write_text(place.first)
    place.box.start()
    place.centre.time.now_ms += OVERLAP_MS
    result = place.box.pull()
    assert (result.failed, result.reached, place.box.agent.refusal) == (True, False, EndCode.REPLACED)
    assert place.box.agent.reason.startswith("replaced: a newer token of this kiosk is in use")
    assert place.box.parts.patient_of_card(cards_of("P1")) == "P1"
    assert place.box.parts.ledger.identity is not None
    assert place.box.parts.ledger.identity.ended_ms is None
    assert place.centre.open_cases() == ["replaced_token"]


@pytest.mark.parametrize("newest", [True, False])
def test_a_revoked_kiosk_ends_whichever_of_its_tokens_it_uses(place: Place, newest: bool):
    new = place.renewed()
    place.do("kiosk-revoke", kiosk_id="lobby")
    place.box.config.token_path.write_text(new if newest else place.first)
    prepare_secret(place.box.config.token_path, b"what a power cut left")
    place.box.start()
    assert place.box.pull().refusal is EndCode.ENDED
    assert place.box.enrolment.erase_ended()
    assert [each.name for each in place.box.config.token_path.parent.iterdir() if ".token" in each.name] == []


def test_the_last_four_tokens_are_kept_since_a_backup_may_be_older_than_several_renewals(place: Place):
    made = [place.first, *(place.renewed() for _ in range(TOKENS_KEPT))]
    assert place.box.kept() == made[:0:-1]
    forget(place, *made[2:])
    place.change("update tokens set replaced_ms = null")
    assert place.box.pull().is_current
    assert sent_last(place) == f"Bearer {made[1]}"


def test_a_token_that_comes_after_another_enrolment_is_not_kept(place: Place):
    other: Enrolment = place.centre.enrol(kiosk_id="other")
    place.box.enrolment.complete(other)
    place.box.tokens.keep("nk_of_the_former_kiosk", token_hash(place.first))
    assert place.box.kept() == [other.token]


def test_a_refusal_of_a_token_that_another_thread_has_left_costs_no_other_token(place: Place):
    new = place.renewed()
    assert place.box.tokens.refuse(token_hash(new))
    assert place.box.tokens.refuse(token_hash(new)), "the other thread calls again"
    assert place.box.tokens.present() == place.first
    assert not place.box.tokens.refuse(token_hash(place.first))
    assert place.box.tokens.present() == new


def test_a_box_that_has_lost_its_token_calls_without_one(place: Place):
    place.box.config.token_path.write_text("")
    place.box.start()
    assert place.box.pull().failed
    assert sent_last(place) is None
    assert place.box.agent.reason.startswith("not_known: this kiosk's token does not reach the centre")


# Kills. The child kills itself, as a power cut would, at the n-th file operation or connection.

CHILD = """
import os, signal, sys
from pathlib import Path
from sync.agent.cycle import PULL
from tests.kiosk.test_tokens import Box

box, left = Box(Path(sys.argv[1]), sys.argv[2]), int(sys.argv[3])

def asked(event, args):
    global left
    is_write = event == "open" and isinstance(args[0], str) and ".token" in args[0] and (args[2] or 0) & os.O_WRONLY
    if is_write or event == "socket.connect" or (event == "os.rename" and ".token" in str(args[0])):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(asked)
box.pull()
box.pull()
print("renewed", flush=True)
"""


@pytest.mark.processes
def test_killed_at_any_step_of_a_renewal_a_kiosk_has_a_token_that_works(place: Place, tmp_path: Path):
    died: list[int] = []
    for number in range(1, 20):
        box = place.boxed(tmp_path / str(number), f"kiosk-{number}")
        box.close()
        place.do("kiosk-renew", kiosk_ids=[f"kiosk-{number}"])
        command = [sys.executable, "-c", CHILD, str(tmp_path / str(number)), place.between.url, str(number)]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        assert child.returncode in (0, -signal.SIGKILL), child.stderr
        box.open()
        died.append(len(box.kept()))
        for _ in range(2):
            assert box.pull().is_current
        assert place.is_present(box.kept()[0]), "the renewal is done in the end"
        box.close()
        if child.returncode == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert place.centre.open_cases() == []
    # Killed before the call, before and after the writing of the file, before the first use, and not at all.
    assert died == [1, 1, 1, 2, 2]
