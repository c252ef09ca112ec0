"""The faults, by name. Each takes its effect on the world before it returns."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from sync.central.records.patients import patient_named
from sync.clock import day_after, local_ms
from sync.journey.model import PatientId
from tests.simulation.centre import Centre
from tests.simulation.crashes import Crash, Fuse, Moment
from tests.simulation.hospital import CARDS, KIOSKS, PATIENTS, ZONE, cards_of
from tests.simulation.kiosk import SimulatedKiosk
from tests.simulation.network import Disliked, Link, Trouble
from tests.simulation.world import MINUTE, World

PULL = "/api/v1/sync/pull"
YEAR_MS = 365 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: its weight in the choice of faults, and its largest number in one schedule."""

    name: str
    strike: Callable[[World], None]
    weight: int
    most: int = 99


def _trouble(trouble: Trouble) -> Callable[[World], None]:
    def strike(world: World) -> None:
        kiosk = world.pick_kiosk()
        _with_something_to_push(world, kiosk)
        kiosk.link.trouble = trouble
        world.note(f"{kiosk.name}: {trouble}")
        _reach(world, kiosk)
        if trouble is not Trouble.DELAYED and kiosk.link.trouble is None:
            world.happened(trouble)  # a delayed request counts when it arrives
        kiosk.link.trouble = None

    return strike


def _with_something_to_push(world: World, kiosk: SimulatedKiosk) -> None:
    if not kiosk.parts.pending():
        kiosk.survives(lambda: world.act(kiosk))


def _reach(world: World, kiosk: SimulatedKiosk) -> None:
    """Makes a call, even where its answer is lost."""
    if kiosk.parts.pending() and world.chance.random() < 0.6:
        world.push(kiosk)
    if kiosk.link.trouble is not None:
        world.pull(kiosk)


def _late_page(world: World) -> None:
    """A page arrives late, as the answer to a later call."""
    kiosk = world.pick_kiosk()
    kiosk.link.trouble = Trouble.HELD
    world.pull(kiosk)
    for _ in range(world.chance.randrange(1, 4)):
        _something_small(world)
    if world.snapshots[kiosk.name] and world.chance.random() < 0.2:
        _set_back(world, kiosk)
    else:
        world.sync(kiosk)
    if not kiosk.link.held:
        return
    kiosk.link.late = True
    world.pull(kiosk)
    if kiosk.link.late:
        kiosk.link.late = False
        return
    world.happened("late page")


def _overtaken(world: World) -> None:
    """While a reply is under way, other things happen, at the same kiosk too."""
    kiosk = world.pick_kiosk()
    times, restored = world.chance.randrange(1, 4), world.chance.random() < 0.05

    def meanwhile() -> None:
        if restored:
            _centre_restored(world)
        for _ in range(times):
            _something_small(world, kiosk)
        kiosk.link.versions_at_reply = kiosk.versions()
        world.happened("reply overtaken")

    kiosk.link.meanwhile = meanwhile
    world.sync(kiosk)
    if kiosk.link.meanwhile is not None:
        world.pull(kiosk)
    kiosk.link.meanwhile = None


def _something_small(world: World, favoured: SimulatedKiosk | None = None) -> None:
    kiosk = favoured if favoured and world.chance.random() < 0.6 else world.pick_kiosk()
    choice = world.chance.randrange(4)
    if choice == 0:
        kiosk.survives(lambda: world.act(kiosk))
    elif choice == 1:
        world.staff()
    elif choice == 2:
        world.push(kiosk)
    else:
        world.pull(kiosk)


def _partition(world: World) -> None:
    kiosk = world.pick_kiosk()
    kiosk.link.cut_until = world.event + world.chance.randrange(5, 30)
    world.note(f"{kiosk.name}: cut off until event {kiosk.link.cut_until}")
    world.pull(kiosk)
    world.happened("partition")


def _patient_refused(world: World) -> None:
    """A firewall lets one patient's actions pass in no form, for so long that they are parked."""
    kiosk = world.pick_kiosk()
    _with_something_to_push(world, kiosk)
    waiting = [row.patient_id for row in kiosk.rows() if row.status == "pending" and row.parked_ms is None]
    if not waiting:
        return
    until = world.event + world.chance.randrange(1, 30)
    kiosk.link.disliked = Disliked(world.chance.choice(waiting), until, answers=world.chance.random() < 0.3)
    world.note(f"{kiosk.name}: actions of {kiosk.link.disliked.patient_id} pass in no form until event {until}")
    for _ in range(40):
        world.push(kiosk)
        world.now_ms += 5_000
        if world.chance.random() < 0.1:
            _something_small(world, kiosk)
        if any(row.parked_ms for row in kiosk.rows()):
            world.happened("patient refused")
            break


def _half_open(world: World) -> None:
    kiosk = world.pick_kiosk()
    kiosk.link.half_open_until = world.event + world.chance.randrange(3, 20)
    world.note(f"{kiosk.name}: gets no answers until event {kiosk.link.half_open_until}")
    world.sync(kiosk)
    world.happened("half-open")


def _kiosk_breaks(name: str, moment: Moment, most: int, error: Callable[[], BaseException]) -> Callable[[World], None]:
    def strike(world: World) -> None:
        kiosk = world.pick_kiosk()
        kiosk.fuse.light(moment, world.chance.randrange(1, most), error)
        world.note(f"{kiosk.name}: {name} is near")
        for _ in range(3):
            if not kiosk.fuse.lit:
                break
            choice = world.chance.randrange(3)
            doing = (lambda: world.act(kiosk), lambda: world.push(kiosk), lambda: world.pull(kiosk))[choice]
            kiosk.survives(doing)
        _end_fuse(kiosk.fuse, error, kiosk.reopen)
        world.happened(name)

    return strike


def _centre_breaks(name: str, moment: Moment, most: int, error: Callable[[], BaseException]) -> Callable[[World], None]:
    def strike(world: World) -> None:
        kiosk = world.pick_kiosk()
        _with_something_to_push(world, kiosk)
        world.centre.fuse.light(moment, world.chance.randrange(1, most), error)
        world.note(f"centre: {name} is near")
        for _ in range(3):
            if world.centre.fuse.lit:
                _at_the_centre(world, kiosk)
        _end_fuse(world.centre.fuse, error, world.centre.reopen)
        world.happened(name)

    return strike


def _at_the_centre(world: World, kiosk: SimulatedKiosk) -> None:
    """A step at which the centre may break. A kiosk only sees a failed call."""
    if world.chance.random() < 0.7:
        world.push(kiosk)
        return
    try:
        world.staff()
    except Crash:
        world.centre.reopen()
    except sqlite3.OperationalError:
        return


def _end_fuse(fuse: Fuse, error: Callable[[], BaseException], reopen: Callable[[], None]) -> None:
    """A process without a crash ends between two transactions."""
    if fuse.put_out() and error is Crash:
        reopen()


def _disk_fails() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("database or disk is full")


def _clock_jumps(world: World) -> None:
    kiosk = world.pick_kiosk()
    years = world.chance.choice((-20, -3, -1, 1, 2, 7))
    hours = world.chance.choice((0, 0, 0, -30, -3, 2, 25))
    kiosk.clocks.offset_ms += years * YEAR_MS if not hours else hours * 60 * MINUTE
    kiosk.clocks.synchronised, kiosk.clock_was_wrong = False, True
    world.note(f"{kiosk.name}: clock is {kiosk.clocks.offset_ms // 1000} s off")
    kiosk.survives(lambda: world.act(kiosk))
    world.happened("clock jump")


def _boots_without_clock(world: World) -> None:
    kiosk = world.pick_kiosk()
    kiosk.reboot(keeps_time=False)
    world.note(f"{kiosk.name}: boots without a clock")
    kiosk.survives(lambda: world.act(kiosk))
    world.happened("boot without clock")


def _reboots(world: World) -> None:
    kiosk = world.pick_kiosk()
    kiosk.reboot(keeps_time=True)
    world.note(f"{kiosk.name}: reboots")
    world.happened("reboot")


def _clock_set_right(world: World) -> None:
    wrong = [kiosk for kiosk in world.kiosks if kiosk.clocks.offset_ms or not kiosk.clocks.synchronised]
    kiosk = world.chance.choice(wrong) if wrong else world.pick_kiosk()
    kiosk.clocks.offset_ms, kiosk.clocks.synchronised = 0, True
    world.note(f"{kiosk.name}: clock set right")
    world.happened("clock set right")


def _centre_restored(world: World) -> None:
    backup = world.chance.choice(world.backups)
    world.centre.restore(backup)
    if world.liar:
        world.liar.restored()
    on_disks = {row.action_id for kiosk in world.kiosks for row in kiosk.rows()}
    world.books.centre_set_back(backup.name, world.at_centre(), on_disks)
    world.note(f"centre: restored from {backup.name}")
    world.happened("centre restored")


def _kiosk_rolled_back(world: World) -> None:
    with_copies = [kiosk for kiosk in world.kiosks if world.snapshots[kiosk.name]]
    if not with_copies:
        world.snapshot(world.pick_kiosk())
        _something_small(world)
        _something_small(world)
        with_copies = [kiosk for kiosk in world.kiosks if world.snapshots[kiosk.name]]
    _set_back(world, world.chance.choice(with_copies))


def _set_back(world: World, kiosk: SimulatedKiosk) -> None:
    before = {row.action_id for row in kiosk.rows()}
    kiosk.put_back(world.chance.choice(world.snapshots[kiosk.name]))
    after = {row.action_id for row in kiosk.rows()}
    elsewhere = {row.action_id for each in world.kiosks if each is not kiosk for row in each.rows()}
    world.books.disk_set_back(before, after, elsewhere, world.at_centre())
    world.books.suspect(kiosk.link.kiosk_id)
    world.note(f"{kiosk.name}: disk set back, {len(before - after)} actions fewer")
    world.happened("kiosk rolled back")


def _kiosk_cloned(world: World) -> None:
    original = world.pick_kiosk()
    clone = world.add_clone(original)
    world.books.suspect(original.link.kiosk_id)
    world.note(f"{original.name}: cloned as {clone.name}")
    clone.survives(lambda: world.act(clone))
    world.happened("kiosk cloned")


def _record_damaged(world: World) -> None:
    """Bits of one record flip on a kiosk's disk, in any state of its action.

    No other disk has the action. A sound copy after a damaged one would be quarantined or judged by which came first,
    which this simulation does not check.
    """
    kiosk = world.pick_kiosk()
    kiosk.survives(lambda: world.act(kiosk))
    elsewhere = {row.action_id for each in world.kiosks if each is not kiosk for row in each.rows()}
    rows = [row for row in kiosk.rows() if row.action_id not in elsewhere]
    if not rows:
        return
    world.lose_copies(kiosk)
    status = world.chance.choice(sorted({row.status for row in rows}))
    action_id = world.chance.choice([row.action_id for row in rows if row.status == status])
    bits = world.chance.sample(range(8), world.chance.randrange(1, 4))
    kiosk.flip(action_id, [(world.chance.random(), bit) for bit in bits])
    world.books.damage(action_id)
    world.note(f"{kiosk.name}: the record of {action_id[-4:]} ({status}) is damaged")
    world.happened("record damaged")


def _goes_elsewhere(world: World) -> None:
    """A kiosk is enrolled at another hospital, and may die meanwhile. It sets its actions aside and does not come back.

    Calls go to the wrong centre, and an answer comes from the wrong one.
    """
    if len(world.kiosks) < len(KIOSKS):
        return
    kiosk, there = world.pick_kiosk(), world.other_hospital()
    kiosk.survives(lambda: world.act(kiosk))
    strays = kiosk.link.delayed, world.centre.handle(kiosk.link.kiosk_id, PULL, kiosk.first_pull())
    enrolment = there.enrol(kiosk.link.kiosk_id, kiosk.name)
    file = world.home / f"{kiosk.name}.aside"
    kiosk.fuse.light(world.chance.choice(list(Moment)), world.chance.randrange(1, 40))
    kiosk.survives(lambda: kiosk.ledger.enrol(enrolment, file))
    kiosk.fuse.put_out()
    if kiosk.site_id() != enrolment.site_id:
        kiosk.ledger.enrol(enrolment, file)
    world.files += sorted(world.home.glob(f"{file.name}*"))
    world.kiosks.remove(kiosk)
    world.note(f"{kiosk.name}: goes to another hospital")
    _works_elsewhere(world, kiosk, there, strays[1])
    kiosk.link.delayed = []
    for _, path, body in strays[0]:
        world.centre.handle(kiosk.link.kiosk_id, path, body)
    kiosk.store.close()
    world.happened("kiosk goes elsewhere")


def _works_elsewhere(world: World, kiosk: SimulatedKiosk, there: Centre, stray: tuple[int, bytes]) -> None:
    done = kiosk.journeys.check_in_unknown(
        PatientId(f"card-{world.new_id()}"), cards_of(CARDS[0]), "scan_nfc", world.new_id()
    )
    world.books.elsewhere |= set(done.action_ids)
    before = world.centre.of_calls()
    kiosk.push()
    kiosk.pull()
    assert world.centre.of_calls() == before, "a kiosk of another site has changed the centre"
    kiosk.link = Link(there, kiosk.link.kiosk_id)
    kiosk.reopen()
    kiosk.link.held, kiosk.link.late = [(PULL, *stray)], True
    incarnation = kiosk.incarnation()
    kiosk.pull()
    assert kiosk.incarnation() == incarnation, "a page of another site was adopted"
    kiosk.pull()
    kiosk.push()
    assert not kiosk.parts.pending(), "the other hospital did not get its own action"


def _tag_bound_anew(world: World) -> None:
    """The desk gives a card to a patient, by the use case of the staff's call. The card may have had another holder."""
    card, patient_id = world.chance.choice(CARDS), world.chance.choice(PATIENTS)
    with world.centre.store.read() as db:
        patient_id = patient_named(db, patient_id) or patient_id
    world.centre.bind_card(world.new_id(), patient_id, cards_of(card))
    world.note(f"desk: card {card} is {patient_id}'s")
    world.happened("tag re-bound")


def _card_reported_lost(world: World) -> None:
    """The desk blocks a card that was reported lost, or unblocks it after it was found."""
    card, action_id = world.chance.choice(CARDS), world.new_id()
    answer = world.centre.block_card(action_id, cards_of(card))
    if not answer.done:
        answer = world.centre.unblock_card(action_id, cards_of(card))
        world.note(f"desk: card {card} was found: {answer.status}")
        return
    world.note(f"desk: card {card} is lost")
    world.happened("card reported lost")


def _card_keys_rotated(world: World) -> None:
    """An operator rotates the card keys, while kiosks and staff go on. The centre may die in the middle.

    The service goes on with the walk by itself, some time later.
    """
    centre = world.centre
    world.bound.update(centre.cards_of_bindings())
    centre.rotate()
    breaks = world.chance.random() < 0.4
    for _ in range(world.chance.randrange(0, 12)):
        if breaks:
            centre.fuse.light(world.chance.choice(list(Moment)), world.chance.randrange(1, 12))
        try:
            centre.walk(world.chance.randrange(1, 4))
        except Crash:
            centre.reopen()
        centre.fuse.put_out()
        _something_small(world)
    world.note(f"centre: the card keys are {', '.join(centre.parts.keys.known.ids)}")
    world.happened("card keys rotated")


def _patients_merged(world: World) -> None:
    kept, gone = world.chance.sample(PATIENTS, 2)
    answer = world.centre.merge(world.new_id(), kept, gone)
    world.note(f"desk: {gone} is {kept}: {answer.status}")
    world.happened("patients merged")


def _booking_changed(world: World) -> None:
    """The hospital's system moves a booking to another exam or day, cancels it, or has it again."""
    rows = world.centre.rows("select appointment_id from appointments order by appointment_id")
    appointment_id, today = world.chance.choice(rows)["appointment_id"], world.centre.today()
    said = {
        "exam_id": world.chance.choice(("X", "E", "S")),
        # The third is within the last two hours of today.
        "scheduled_at": world.chance.choice(
            (today, f"{today}T17:00", f"{day_after(today)}T03:50", f"{day_after(today)}T09:00")
        ),
        "status": world.chance.choice(("booked", "cancelled")),
    }
    names = world.chance.sample(sorted(said), world.chance.randrange(1, 3))
    fields = {name: said[name] for name in names}
    outcome = world.centre.import_booking({"appointment_id": appointment_id, **fields})
    world.note(f"hospital: {appointment_id} {fields}: {outcome}")
    world.happened("booking changed")


def _day_completed(world: World) -> None:
    """The hospital's system names every booking of today, and leaves some out."""
    rows = world.centre.rows("select appointment_id from appointments order by appointment_id")
    named = [row["appointment_id"] for row in rows if world.chance.random() < 0.8]
    world.note(f"hospital: today has {' '.join(named)}: {world.centre.import_day(named)} cancelled")
    world.happened("day completed")


def _rules_changed(world: World) -> None:
    supported = world.chance.random() < 0.5
    world.centre.change_rules(still_judges_by_old=supported)
    version = world.centre.definitions.version
    world.note(f"centre: rules version {version}, {'and earlier ones' if supported else 'alone'}")
    world.happened("rules changed")


def _day_ends(world: World) -> None:
    """The night passes. The centre closes the day at once or with its next request. No request is under way for so
    long."""
    for kiosk in world.kiosks:
        world.faults["request delayed"] += kiosk.link.deliver_delayed(everything=True)
    day = world.centre.today()
    world.now_ms = local_ms(day, "04:00", ZONE) + 24 * 60 * MINUTE + world.chance.randrange(0, 8 * 60) * MINUTE
    if world.chance.random() < 0.5:
        world.centre.tick()
    world.note("the day ends")
    world.happened("day's end")


FAULTS: tuple[Fault, ...] = (
    *(Fault(each, _trouble(each), 4) for each in Trouble if each is not Trouble.HELD),
    Fault("late page", _late_page, 6),
    Fault("reply overtaken", _overtaken, 6),
    Fault("partition", _partition, 3, 3),
    Fault("half-open", _half_open, 3, 3),
    Fault("patient refused", _patient_refused, 3, 2),
    *(
        Fault(name, breaks(name, moment, most, error), 3)
        for name, breaks, moment, most, error in (
            ("kiosk dies inside a transaction", _kiosk_breaks, Moment.STATEMENT, 30, Crash),
            ("kiosk dies after a commit", _kiosk_breaks, Moment.COMMITTED, 3, Crash),
            ("kiosk's disk fails", _kiosk_breaks, Moment.STATEMENT, 30, _disk_fails),
            ("centre dies inside a transaction", _centre_breaks, Moment.STATEMENT, 60, Crash),
            ("centre dies after a commit", _centre_breaks, Moment.COMMITTED, 3, Crash),
            ("centre's disk fails", _centre_breaks, Moment.STATEMENT, 60, _disk_fails),
        )
    ),
    Fault("clock jump", _clock_jumps, 3),
    Fault("boot without clock", _boots_without_clock, 2),
    Fault("reboot", _reboots, 2),
    Fault("clock set right", _clock_set_right, 3),
    Fault("centre restored", _centre_restored, 2, 2),
    Fault("kiosk rolled back", _kiosk_rolled_back, 2, 2),
    Fault("kiosk cloned", _kiosk_cloned, 1, 1),
    Fault("kiosk goes elsewhere", _goes_elsewhere, 2, 1),
    Fault("tag re-bound", _tag_bound_anew, 3),
    Fault("card reported lost", _card_reported_lost, 2, 3),
    Fault("card keys rotated", _card_keys_rotated, 2, 2),
    Fault("patients merged", _patients_merged, 1, 1),
    Fault("booking changed", _booking_changed, 6),
    Fault("day completed", _day_completed, 1, 1),
    Fault("rules changed", _rules_changed, 1, 1),
    Fault("day's end", _day_ends, 1, 2),
    Fault("record damaged", _record_damaged, 1, 1),
)
