// Made by python -m tests.sync.client.types; not to be edited.

export type PatientJourney = import("./journey.js").PatientJourney;
export type Snapshot = import("./journey.js").Snapshot;
/**
 * Connects a journey while it is on the page, for all components inside.
 * @param {{journey: PatientJourney, children?: import("react").ReactNode}} props
 */
export declare function PatientJourneyProvider({ journey, children }: {
    journey: PatientJourney;
    children?: import("react").ReactNode;
}): import("react").FunctionComponentElement<import("react").ProviderProps<import("./journey.js").PatientJourney | null>>;
/**
 * Returns the patient's journey as the centre knows it now, and what can be done. Raises an Error outside of a
 * PatientJourneyProvider.
 *
 * `performAction` resolves to a result, also where the action is refused. It never rejects.
 * @returns {Pick<Snapshot, "journeyState" | "queueDetails" | "appointments" | "availableActions" | "loading" |
 *   "isConnected"> & {performAction: PatientJourney["perform"], refresh: PatientJourney["refresh"]}}
 */
export declare function usePatientJourney(): Pick<Snapshot, "journeyState" | "queueDetails" | "appointments" | "availableActions" | "loading" | "isConnected"> & {
    performAction: PatientJourney["perform"];
    refresh: PatientJourney["refresh"];
};
