// An app in Node: it takes the class of sockets where Node has none, and ends by itself once it has closed its journey.

import { webcrypto } from "node:crypto";
import { PatientJourney } from "nfc-kiosk-client";
import WebSocket from "ws";

globalThis.crypto ??= webcrypto; // Node 18
const [url, token] = process.argv.slice(2);
const journey = new PatientJourney({ url, token, WebSocket });
const connected = new Promise((resolve) => journey.subscribe(() => journey.read().isConnected && resolve()));
journey.start();
await connected;
const done = await journey.perform("scan_nfc");
const refused = await journey.perform("make_payment");
console.log(JSON.stringify([done.state.journey_state, refused.code, journey.read().journeyState]));
journey.close();
