// An app in TypeScript. The compiler reads it, and nothing runs it.

import { PatientJourney, type Snapshot } from "nfc-kiosk-client";
import { PatientJourneyProvider, usePatientJourney } from "nfc-kiosk-client/react";
import { Channel } from "nfc-kiosk-client/channel";
import type { CloseCode, JourneyState, QueueDetail, ServerMessage } from "nfc-kiosk-client/protocol";

const journey = new PatientJourney({ url: "https://checkin.hospital.example", token: async (refused) => refused && null });
const ended: CloseCode = 4401;
const words: Partial<Record<JourneyState, string>> = { WAITING: "Please wait", CALLED: "Please come in" };
const snapshot: Snapshot = journey.read();

function place({ queue_number, people_ahead, label_aliases = [] }: QueueDetail): string {
  return `${[queue_number, ...label_aliases].join(" ")}: ${people_ahead} before you`;
}

function of(message: ServerMessage): string {
  if (message.type === "action_result") return message.success ? message.payload.timestamp : message.error;
  return message.type === "state_update" ? `${message.payload.action}` : message.type;
}

function Place() {
  const { journeyState, queueDetails, performAction } = usePatientJourney();
  const press = async () => {
    const result = await performAction("confirm_arrival", { exam_id: "blood" });
    return result.ok ? result.state.journey_version : result.code === "no_answer";
  };
  return (
    <button onClick={press}>
      {journeyState && words[journeyState]} {queueDetails.map(place)} {snapshot.ended} {ended} {of({ type: "pong" })}
      {snapshot.definitions?.mappings.queue_to_journey.called} {Channel.name}
    </button>
  );
}

export const app = (
  <PatientJourneyProvider journey={journey}>
    <Place />
  </PatientJourneyProvider>
);
