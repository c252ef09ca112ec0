// A pressed button becomes one action, whatever happens on the way: its id is made at the press and stays the same
// through every repeat, on either line, until somebody answers.

const PAUSES_MS = [0, 400, 1_200, 2_500, 4_000];

/** The actions of this page. */
export class Presses {
  constructor(channel) {
    this.channel = channel;
    this.unanswered = null;
  }

  /** Sends an action for a patient: `{ok, code}`, or null where nobody answered after several tries. */
  async act(actionType, patientId) {
    const action = this.actionFor(actionType, patientId);
    for (const [attempt, pause] of PAUSES_MS.entries()) {
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
      // A socket that swallowed the first try may be dead and not know it: then the other line.
      const answer = await this.channel.send("perform_action", action, attempt % 2 ? "http" : undefined);
      if (answer) {
        this.unanswered = null;
        return answer;
      }
    }
    return null;
  }

  actionFor(actionType, patientId) {
    const before = this.unanswered;
    if (before?.action_type === actionType && before.payload.patient_id === patientId) return before;
    this.unanswered = {
      action_type: actionType,
      payload: { patient_id: patientId },
      action_id: crypto.randomUUID(),
    };
    return this.unanswered;
  }
}
