// An app in React as its developer writes it: a provider, and components that use the hook.

import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { PatientJourney } from "nfc-kiosk-client";
import { PatientJourneyProvider, usePatientJourney } from "nfc-kiosk-client/react";

function Journey() {
  const hook = usePatientJourney();
  const [result, setResult] = useState(null);
  const { journeyState, availableActions, loading, isConnected, performAction, refresh } = hook;
  const press = async (action) => setResult(await performAction(action));
  window.fields = Object.keys(hook);
  if (loading) return <p id="loading">One moment</p>;
  return (
    <main data-connected={isConnected}>
      <h1 id="state">{journeyState ?? "nobody"}</h1>
      {[...availableActions, "make_payment"].map((action) => (
        <button key={action} data-action={action} onClick={() => press(action)}>
          {action}
        </button>
      ))}
      <button id="refresh" onClick={refresh} />
      {result && <p id="result">{result.ok ? "done" : result.code}</p>}
    </main>
  );
}

function Place() {
  const { queueDetails, appointments } = usePatientJourney();
  return (
    <>
      <p id="place">{queueDetails.map((entry) => entry.queue_number).join(", ")}</p>
      <p id="bookings">{appointments.length}</p>
    </>
  );
}

const { url, token } = window.settings;
const journey = new PatientJourney({ url, token, onEnded: (why) => (document.title = why) });
const root = createRoot(document.getElementById("root"));
window.leave = () => root.unmount();
root.render(
  <StrictMode>
    <PatientJourneyProvider journey={journey}>
      <Journey />
      <Place />
    </PatientJourneyProvider>
  </StrictMode>,
);
