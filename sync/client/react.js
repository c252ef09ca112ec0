// The journey for React: one connection for all components below a provider.

import { createContext, createElement, useContext, useEffect, useMemo, useSyncExternalStore } from "react";

/** @typedef {import("./journey.js").PatientJourney} PatientJourney */
/** @typedef {import("./journey.js").Snapshot} Snapshot */

/** @type {import("react").Context<PatientJourney | null>} */
const Journey = createContext(/** @type {PatientJourney | null} */ (null));

/**
 * Connects a journey while it is on the page, for all components inside.
 * @param {{journey: PatientJourney, children?: import("react").ReactNode}} props
 */
export function PatientJourneyProvider({ journey, children }) {
  useEffect(() => {
    journey.start();
    return () => journey.close();
  }, [journey]);
  return createElement(Journey.Provider, { value: journey }, children);
}

/**
 * Returns the patient's journey as the centre knows it now, and what can be done. Raises an Error outside of a
 * PatientJourneyProvider.
 *
 * `performAction` resolves to a result, also where the action is refused. It never rejects.
 * @returns {Pick<Snapshot, "journeyState" | "queueDetails" | "appointments" | "availableActions" | "loading" |
 *   "isConnected"> & {performAction: PatientJourney["perform"], refresh: PatientJourney["refresh"]}}
 */
export function usePatientJourney() {
  const journey = useContext(Journey);
  if (journey === null) throw new Error("usePatientJourney() is called outside of a PatientJourneyProvider");
  const snapshot = useSyncExternalStore(journey.subscribe, journey.read, journey.read);
  return useMemo(() => {
    const { journeyState, queueDetails, appointments, availableActions, loading, isConnected } = snapshot;
    const { perform: performAction, refresh } = journey;
    return { journeyState, queueDetails, appointments, availableActions, loading, isConnected, performAction, refresh };
  }, [journey, snapshot]);
}
