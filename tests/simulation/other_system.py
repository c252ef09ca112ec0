"""Another system of the hospital in a schedule: it does what it decides, and operators change what that is."""

from __future__ import annotations

from sync.central.records.deciders import Decider
from sync.journey.model import STAFF, Action, ActionId, Decision, Exam, ExamId, Journey, Opens, QueueId, VisitId
from sync.journey.rules import decide
from tests.simulation.world import World

OPERATORS_SHARE, TRUE_SHARE, REPEATED_SHARE = 0.25, 0.8, 0.2
DELAYS_MS = (0, 0, 0, 1000, 100_000)  # of words
_DESK = Exam(ExamId("DESK"), "DESK", "DESK", "DESK")


def act(world: World) -> None:
    """The other system does an action that it decides. Now and then an operator says who decides one."""
    definitions, elsewhere, chance = world.centre.definitions, world.centre.elsewhere(), world.chance
    if not elsewhere or chance.random() < OPERATORS_SHARE:
        action_type, decider = chance.choice(list(definitions.actions)), chance.choice(list(Decider))
        world.centre.let_decide(action_type, decider)
        world.note(f"an operator: {decider} decides {action_type}")
        return
    patient_id = chance.choice(world.patients)
    journey = world.centre.journey(patient_id)
    if journey is None:
        return  # the record was merged into another one
    told = _word(world, journey, chance.choice(elsewhere))
    answer = world.centre.word(told)
    world.note(f"the other system: {told['action_type']} for {patient_id} to {told['to']} {answer.status}")
    if chance.random() < REPEATED_SHARE:
        again = world.centre.word(told)
        assert (again.status, again.body) == (answer.status, answer.body), "a repeated word got another answer"


def _word(world: World, journey: Journey, action_type: str) -> dict[str, object]:
    """What the rules would do, or anything at all."""
    definitions, chance = world.centre.definitions, world.chance
    opens = Opens(VisitId(world.new_id()), QueueId(world.new_id()), "", _DESK)
    outcome = decide(definitions, journey, Action(ActionId("word"), action_type, STAFF, world.clock(), opens))
    if isinstance(outcome, Decision) and chance.random() < TRUE_SHARE:
        after, entries = outcome.journey.state, [(e.exam_id, e.state) for e in outcome.journey.entries]
    else:
        after = chance.choice(definitions.journey_states)
        entries = [(ExamId(chance.choice("XES")), chance.choice(definitions.queue_states))]
    return {
        "word_id": world.new_id(),
        "patient_id": journey.patient_id,
        "action_type": action_type,
        "from": journey.state,
        "to": after,
        "at": world.clock() - chance.choice(DELAYS_MS),
        "entries": [
            {"exam_id": exam_id, "state": state, "queue_number": f"W{world.event}-{place}"}
            for place, (exam_id, state) in enumerate(entries)
        ],
    }
