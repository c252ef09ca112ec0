// Each line is a mistake that the types tell.

import { PatientJourney } from "nfc-kiosk-client";
import { usePatientJourney } from "nfc-kiosk-client/react";

new PatientJourney({ token: 5 });
usePatientJourney().journey_state;
usePatientJourney().queueDetails[0].people;
usePatientJourney().performAction("scan_nfc", { queue_id: 1 });
usePatientJourney().performAction("scan_nfc").then((result) => result.state);
