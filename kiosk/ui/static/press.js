// A press becomes one action, whatever happens on the way. The action id is made at the press. It stays the same through
// every repeat, over socket or HTTP, until an answer comes.

const PAUSES_MS = [0, 400, 1_200, 2_500, 4_000];

/** The actions of this page. */
export class Presses {
  constructor(channel) {
    this.channel = channel;
    this.unanswered = null;
  }

  /** Sends the answer to an offer. Returns `{ok, code}`, or null where no answer comes after several tries. */
  async act(offer) {
    const action = this.actionFor(offer);
    for (const [attempt, pause] of PAUSES_MS.entries()) {
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
      // A socket that gave no answer may be dead without an error, so every second try goes over HTTP.
      const answer = await this.channel.send("perform_action", action, attempt % 2 ? "http" : undefined);
      if (answer) {
        this.unanswered = null;
        return answer;
      }
    }
    return null;
  }

  actionFor({ offer, action, patient }) {
    if (this.unanswered?.offer !== offer) {
      this.unanswered = { action_type: action, payload: { patient_id: patient }, offer, action_id: crypto.randomUUID() };
    }
    return this.unanswered;
  }
}
