// A front end from before this centre, with a hook of its own: it knows paths, messages and field names, and nothing of
// the client library. It stays as it is.

import { useCallback, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

const { url, token } = window.settings;
const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };

function usePatientJourney() {
  const [journeyState, setJourneyState] = useState(null);
  const [queueDetails, setQueueDetails] = useState([]);
  const [isConnected, setConnected] = useState(false);
  const [error, setError] = useState(null);
  const socket = useRef(null);

  const take = useCallback((payload) => {
    setJourneyState(payload.journey_state);
    setQueueDetails(payload.queue_details);
  }, []);

  useEffect(() => {
    let ping, again;
    const connect = () => {
      const ws = new WebSocket(`${url.replace("http", "ws")}/ws/patient-journey/`);
      socket.current = ws;
      ws.onopen = () => {
        setConnected(true);
        ws.send(JSON.stringify({ command: "fetch_initial_state" }));
        ping = setInterval(() => ws.send(JSON.stringify({ command: "ping" })), 30000);
      };
      ws.onmessage = (event) => {
        const message = JSON.parse(event.data);
        if (message.type === "initial_state" || message.type === "state_update" || message.type === "action_result") {
          take({ ...message.payload, journey_state: message.payload.journey_state });
          if (message.error) setError(message.error);
        }
      };
      ws.onclose = () => {
        setConnected(false);
        clearInterval(ping);
        again = setTimeout(connect, 1000);
      };
    };
    connect();
    return () => {
      clearTimeout(again);
      socket.current.onclose = null;
      socket.current.close();
    };
  }, [take]);

  const performAction = async (actionType) => {
    if (socket.current?.readyState === WebSocket.OPEN) {
      socket.current.send(JSON.stringify({ command: "perform_action", action_type: actionType, payload: {} }));
      return;
    }
    const body = JSON.stringify({ action_type: actionType, payload: {} });
    const response = await fetch(`${url}/api/v1/patient-journey/perform-action/`, { method: "POST", headers, body });
    const answer = await response.json();
    if (response.ok) take(answer);
    else setError(answer.error);
  };

  return { journeyState, queueDetails, isConnected, error, performAction };
}

function App() {
  const { journeyState, queueDetails, isConnected, error, performAction } = usePatientJourney();
  return (
    <main data-connected={isConnected}>
      <h1 id="state">{journeyState}</h1>
      <p id="place">{queueDetails.map((entry) => entry.queue_number).join(", ")}</p>
      <p id="error">{error}</p>
      {["scan_nfc", "register", "confirm_arrival", "make_payment"].map((action) => (
        <button key={action} data-action={action} onClick={() => performAction(action)} />
      ))}
    </main>
  );
}

// The one line that was added for this centre: the token becomes the cookie that opens the socket.
await fetch(`${url}/api/v1/session/`, { method: "POST", headers, credentials: "include" });

createRoot(document.getElementById("root")).render(<App />);
