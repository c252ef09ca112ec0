"""Records a run of the kiosk's or the centre's store, cuts the power at many moments, and examines the files then.

    python -m tests.reliability.powercut.cuts 10000 [--of kiosk|centre] [--seed N] [--synchronous full|normal|off]
        [--careless] [--faulty] [--evidence DIRECTORY]

makes that many cuts, on all cores, and prints the result. It exits with 1 after any loss or fault.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import click

from tests.reliability import preload
from tests.reliability.powercut import journal
from tests.reliability.powercut.examine import Finding, examine
from tests.reliability.powercut.journal import Event, Kind
from tests.reliability.powercut.marks import History, history
from tests.reliability.powercut.medium import Disk, Medium
from tests.reliability.powercut.subjects import SUBJECTS
from tests.reliability.preload import Faults

HOUSE = Path(__file__).resolve().parents[3]
STEPS = 800  # of one recording
CUTS = 2500  # of one recording
AT_ONCE = 100
SECTORS = (512, 4096)  # taken in turn


@dataclass(frozen=True, slots=True)
class Run:
    """A recording: whose store (a name of SUBJECTS), how many steps, and on what disk."""

    of: str
    seed: int
    steps: int = STEPS
    synchronous: str = "full"
    faulty: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A recording, and the behaviour of the medium beneath it."""

    run: Run
    journal: Path
    careless: bool = False
    evidence: Path | None = None  # the directory for the files of a cut with a loss or a fault


@dataclass(frozen=True, slots=True)
class Options:
    """The number of cuts, and their recording."""

    count: int = 10_000
    of: str = "kiosk"
    seed: int = 1
    synchronous: str = "full"
    careless: bool = False
    faulty: bool = False
    evidence: Path | None = None


def record(library: Path, directory: Path, run: Run) -> Path:
    """Runs a store's life as a process on a watched disk, `directory / "watched"`. Returns its journal."""
    watched, kept = directory / "watched", directory / "journal"
    watched.mkdir(parents=True)
    command = [sys.executable, "-m", SUBJECTS[run.of].walk, str(watched), "--steps", str(run.steps)]
    command += ["--seed", str(run.seed), "--synchronous", run.synchronous]
    faults = directory / "faults" if run.faulty else None
    if faults:
        Faults(faults).close()
        command += ["--faults", str(faults)]
    environment = preload.environment(library, watched, kept, faults)
    subprocess.run(command, env=environment, cwd=HOUSE, check=True)
    return kept


def choose(plan: Plan, count: int) -> list[int]:
    """The moments of the cuts, in order: a third anywhere, a third near acknowledgements, a third in checkpoints."""
    events, chance = journal.read(plan.journal), random.Random(plan.run.seed)
    marked = [n for n, event in enumerate(events) if event.kind is Kind.MARKED]
    database = SUBJECTS[plan.run.of].database.encode()
    main = next(event.file for event in events if event.kind is Kind.CREATED and event.payload == database)
    checkpointed = [n for n, event in enumerate(events) if event.file == main]
    near = [chance.choice(marked) + chance.randint(-3, 1) for _ in range(count // 3)]
    within = [chance.choice(checkpointed) + chance.randint(-2, 2) for _ in range(count // 3)]
    anywhere = [chance.randrange(len(events) + 1) for _ in range(count - len(near) - len(within))]
    return sorted(min(max(cut, 0), len(events)) for cut in near + within + anywhere)


def findings(plan: Plan, cuts: Sequence[int], place: Path) -> list[Finding]:
    """Examines each of these moments, which are in order, each in its own directory beneath `place`."""
    events = journal.read(plan.journal)
    return list(_findings(plan, events, history(events), cuts, place))


def cut_everywhere(place: Path, options: Options) -> list[Finding]:
    """Makes the cuts on as many recordings as needed, on all cores, with a progress bar."""
    found: list[Finding] = []
    library = preload.build(place)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        tasks = []
        for number, first in enumerate(range(0, options.count, CUTS)):
            run = Run(options.of, options.seed + number, STEPS, options.synchronous, options.faulty)
            plan = Plan(run, record(library, place / f"run-{number}", run), options.careless, options.evidence)
            cuts = choose(plan, min(CUTS, options.count - first))
            tasks += [pool.submit(findings, plan, cuts[n : n + AT_ONCE], place) for n in range(0, len(cuts), AT_ONCE)]
        with click.progressbar(as_completed(tasks), length=len(tasks), label="cutting") as bar:
            for task in bar:
                found += task.result()
    return found


def report(found: Sequence[Finding]) -> int:
    """Prints the totals. Returns 1 after any loss or fault."""
    faults = Counter(finding.fault for finding in found if finding.fault)
    lossy = [finding.lost for finding in found if finding.lost]
    print(f"{len(found)} cuts: {sum(lossy)} acknowledged steps lost, in {len(lossy)} of them; {faults.total()} faults")
    for fault, times in faults.most_common(8):
        print(f"  {times} × {fault}")
    return 1 if faults or lossy else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?")
    parser.add_argument("--of", choices=SUBJECTS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--synchronous", choices=("full", "normal", "off"))
    parser.add_argument("--careless", action="store_true", help="a torn sector is completely garbage")
    parser.add_argument("--faulty", action="store_true", help="the disk fails sometimes during the recording")
    parser.add_argument("--evidence", type=Path, help="the directory for the files of bad cuts")
    parser.set_defaults(**asdict(Options()))
    with tempfile.TemporaryDirectory(dir=preload.in_memory()) as made:
        return report(cut_everywhere(Path(made), Options(**vars(parser.parse_args()))))


def _findings(plan: Plan, events: list[Event], marks: History, cuts: Sequence[int], place: Path) -> Iterator[Finding]:
    subject, seed = SUBJECTS[plan.run.of], plan.run.seed
    disks = {sector: Disk(Medium(sector, plan.careless), f"{seed}") for sector in SECTORS}
    done = 0
    for number, cut in enumerate(cuts):
        for event in events[done:cut]:
            for disk in disks.values():
                disk.apply(event)
        done = cut
        name, disk = f"{plan.run.of}-{seed}-{cut}-{number}", disks[SECTORS[number % len(SECTORS)]]
        _lay_out(place / name, subject.database, disk, random.Random(name))
        finding = examine(place / name, marks, cut, subject.opened, subject.refusal)
        if plan.evidence and (finding.lost or finding.fault):
            _lay_out(plan.evidence / name, subject.database, disk, random.Random(name))
        yield finding
        shutil.rmtree(place / name)


def _lay_out(directory: Path, database: str, disk: Disk, chance: random.Random) -> None:
    """Writes the files as found. After a crash, "-shm" may hold anything."""
    directory.mkdir(parents=True)
    for name, content in disk.found(chance).items():
        (directory / name).write_bytes(content)
    if chance.random() < 0.3:
        (directory / f"{database}-shm").write_bytes(chance.randbytes(chance.choice((1, 136, 32768))))


if __name__ == "__main__":
    began = time.monotonic()
    status = main()
    print(f"{time.monotonic() - began:.0f} s")
    raise SystemExit(status)
