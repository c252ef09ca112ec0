// Made by python -m tests.sync.client.types; not to be edited.

/** A state of a journey, in the order in which patients come to it. */
export type JourneyState = "UNREGISTERED" | "ARRIVED" | "REGISTERED" | "WAITING" | "CALLED" | "IN_PROGRESS" | "COMPLETED" | "PAYMENT" | "FINISHED" | (string & {});

/** A state of a queue entry. */
export type QueueState = "waiting" | "delayed" | "called" | "no_show" | "in_progress" | "completed" | "cancelled" | (string & {});

/** The status of a booking. */
export type AppointmentStatus = "booked" | "arrived" | "waiting" | "in_progress" | "completed" | "no_show" | "cancelled" | (string & {});

/** An action of patients or staff. */
export type ActionType = "scan_nfc" | "register" | "confirm_arrival" | "enter_exam_room" | "complete_exam" | "make_payment" | "leave_hospital" | "call_patient" | "start_exam" | "mark_no_show" | "cancel_appointment" | (string & {});

/** The code of a refusal. */
export type ErrorCode = "account_disabled" | "action_id_reused" | "already_in_line" | "busy" | "card_blocked" | "card_of_another" | "case_changed" | "changed_meanwhile" | "code_unknown" | "cursor_gone" | "decided_elsewhere" | "decided_here" | "entry_changed" | "entry_not_named" | "forbidden" | "foreign_origin" | "https_only" | "internal" | "invalid_action_id" | "invalid_payload" | "kiosk_away" | "kiosk_taken" | "last_administrator" | "line_moved" | "login_taken" | "malformed" | "missing_action_type" | "missing_patient_id" | "no_card_read" | "no_site" | "no_such_entry" | "not_allowed" | "not_applicable" | "not_found" | "not_identified" | "not_undoable" | "patient_exists" | "possible_double" | "same_patient" | "stale_page" | "token_replaced" | "too_large" | "too_many_tries" | "too_slow" | "unauthorized" | "unknown_action" | "unknown_patient" | "unknown_priority" | "unknown_state" | "unsupported_media_type" | "unusable_card" | "visit_ended" | "visit_unknown" | "weak_password" | "wrong_password" | (string & {});

/** A code with which the socket closes. */
export type CloseCode = 1000 | 1001 | 1002 | 1006 | 1007 | 1009 | 1011 | 1013 | 4401 | 4404 | 4403;

/** The answer to `perform_action`: it was done, and this is the state after it. */
export interface ActionDone {
  readonly type: "action_result";
  readonly payload: CurrentState;
  readonly action_id: string;
  readonly success: true;
}

/**
 * The patient, the entry and the room that an action names. Further members are kept with the action.
 * `seen_state` is the state of the entry on the screen of staff: where it has another one now, nothing is done. `tag_id` is a card as it was read. The centre replaces it by its keyed hash, at any depth of the payload.
 */
export interface ActionPayload {
  readonly patient_id?: string | null;
  readonly queue_id?: string | null;
  readonly exam_id?: string | null;
  readonly room?: string | null;
  readonly seen_state?: string | null;
  readonly tag_id?: string | null;
}

/**
 * The answer to `perform_action`: it was refused. `action_id` is the one that came, of whatever form.
 * `payload` is the patient's state now; null where no patient is concerned, or the database cannot be read.
 */
export interface ActionRefused {
  readonly type: "action_result";
  readonly error: string;
  readonly code: ErrorCode;
  readonly journey_state?: JourneyState | null;
  readonly available_actions?: readonly ActionType[];
  readonly entry?: EntryNow | null;
  readonly next?: EntryNow | null;
  readonly after?: ChangeAfter | null;
  readonly action_id: unknown;
  readonly payload?: CurrentState | null;
  readonly success: false;
}

/** One booking of today; `scheduled_at` is ISO 8601 with the site's offset, or the date alone for the whole day. */
export interface AppointmentDetail {
  readonly appointment_id: string;
  readonly exam_id: string;
  readonly exam_name: string;
  readonly scheduled_at: string;
  readonly status: AppointmentStatus;
}

/**
 * The lines of some exams. `timestamp` is ISO 8601 with the site's offset.
 * `change` is the last change number that it has. `entries` are the live ones, each exam's in the order of its line, and `ended` the last ones of today that have ended, the newest first.
 */
export interface Board {
  readonly timestamp: string;
  readonly change: number;
  readonly exams: readonly (BoardExam)[];
  readonly entries: readonly (BoardRow)[];
  readonly ended: readonly (BoardRow)[];
}

/** An exam, and the number of its entries of today in each state. `order` is how its line is sorted. */
export interface BoardExam {
  readonly exam_id: string;
  readonly title: string;
  readonly room: string;
  readonly order: string;
  readonly counts: {readonly [name: string]: number};
}

/** The lines whole: on connect, after `watch`, and for a board that has missed too much. */
export interface BoardMessage {
  readonly type: "board";
  readonly payload: Board;
}

/**
 * One entry of a line, for staff. Times are ISO 8601 with the site's offset.
 * - `exam_name` is the exam's title for staff.
 * - `line_at` is the time by which the entry stands in its line.
 * - `since` is when it came into its state; `by` is the name of who did that, and `by_kind` whose name it is: staff,   kiosk, patient, or centre for a program.
 * - `is_in_line`: it counts among the people ahead of those behind it. `waits`: it has people ahead itself.
 * - `people_ahead` is the number of rows before it in the line that are in line, and 0 where it does not wait.
 * - `estimated_wait_time` is `minutes` for each of them.
 * - `is_current`: the patient's journey follows this entry. `others` are the patient's other live entries.
 * - `actions` are the actions of staff that the rules allow on it, and `states` those to which staff may set it.
 */
export interface BoardRow {
  readonly queue_id: string;
  readonly patient_id: string;
  readonly name: string;
  readonly masked_name: string;
  readonly birth_date: string | null;
  readonly language: string;
  readonly exam_id: string;
  readonly exam_name: string;
  readonly room: string;
  readonly state: string;
  readonly queue_number: string;
  readonly label_aliases: readonly (string)[];
  readonly priority: number;
  readonly priority_kind: string;
  readonly priority_reason: string;
  readonly note: string;
  readonly opened_at: string;
  readonly line_at: string;
  readonly booked_at: string | null;
  readonly since: string;
  readonly by: string;
  readonly by_kind: string;
  readonly journey_state: JourneyState;
  readonly journey_version: number;
  readonly people_ahead: number;
  readonly estimated_wait_time: number;
  readonly minutes: number;
  readonly is_in_line: boolean;
  readonly waits: boolean;
  readonly is_current: boolean;
  readonly others: readonly (OtherEntry)[];
  readonly actions: readonly (string)[];
  readonly states: readonly (string)[];
  readonly undo: Undoable | null;
}

/**
 * What has changed since the last message of a board.
 * - `rows`: the live entries that are new, or whose row has changed by more than its place.
 * - `gone`: entries that are in none of the lines any more. `ended`: the rows of those that have ended, changed ones   among them.
 * - `exams`: those with other numbers or words.
 * - `order`: the ids of each line whose order has changed by more than entries that left. `people_ahead` of its other   rows follows from the order.
 */
export interface BoardUpdate {
  readonly timestamp: string;
  readonly change: number;
  readonly rows: readonly (BoardRow)[];
  readonly gone: readonly (string)[];
  readonly ended: readonly (BoardRow)[];
  readonly exams: readonly (BoardExam)[];
  readonly order: {readonly [name: string]: readonly (string)[]};
}

/** What has changed since the message before. Several changes at once come as one message. */
export interface BoardUpdateMessage {
  readonly type: "board_update";
  readonly payload: BoardUpdate;
}

/** A person who has a case open. `viewer_id` is the page's. */
export interface CaseViewer {
  readonly viewer_id: string;
  readonly exception_id: string;
  readonly name: string;
  readonly since: string;
}

/** What happened after a press: the action, who did it, and when, as in an entry. */
export interface ChangeAfter {
  readonly action: ActionType | null;
  readonly by: string;
  readonly by_kind: string;
  readonly at: string;
}

/** The same, and the ids of the cases that have come, changed or gone since; null where any may have. */
export interface ChangedInbox {
  readonly viewer_id: string;
  readonly open: number;
  readonly viewers: readonly (CaseViewer)[];
  readonly changed: readonly (string)[] | null;
}

/**
 * The answer of current-state and perform-action, and the payload of the socket's messages.
 * `journey_version` rises with each change of the journey. Of two states that come by two ways, the one with the higher version is the newer one; of one version, that with the later `timestamp`.
 */
export interface CurrentState {
  readonly journey_state: JourneyState;
  readonly queue_details: readonly (QueueDetail)[];
  readonly appointments: readonly (AppointmentDetail)[];
  readonly available_actions: readonly ActionType[];
  readonly timestamp: string;
  readonly journey_version: number;
}

/**
 * A queue entry as it stands, who brought it into its state, and when. `at` is ISO 8601 with the site's offset.
 * `by` is a name, and `by_kind` whose name it is, as in the row of a board.
 */
export interface EntryNow {
  readonly queue_id: string;
  readonly patient_id: string;
  readonly exam_id: string;
  readonly queue_number: string;
  readonly state: string;
  readonly room: string;
  readonly by: string;
  readonly by_kind: string;
  readonly at: string;
}

/**
 * The body of every refused request. Where no patient is concerned, the state is null and no action available.
 * A press of staff on what is not as their screen shows it is told what is so: `entry` is the entry of the press, `next` the first one of the line, null for an empty line, and `after` what happened after the press to undo.
 */
export interface ErrorBody {
  readonly error: string;
  readonly code: ErrorCode;
  readonly journey_state?: JourneyState | null;
  readonly available_actions?: readonly ActionType[];
  readonly entry?: EntryNow | null;
  readonly next?: EntryNow | null;
  readonly after?: ChangeAfter | null;
}

/** The message of the client was no command, or its patient is not to be had. */
export interface ErrorMessage {
  readonly type: "error";
  readonly error: string;
  readonly code: ErrorCode;
  readonly journey_state?: JourneyState | null;
  readonly available_actions?: readonly ActionType[];
  readonly entry?: EntryNow | null;
  readonly next?: EntryNow | null;
  readonly after?: ChangeAfter | null;
}

/** Asks for the state. Staff name the patient. */
export interface FetchInitialState {
  readonly command: "fetch_initial_state";
  readonly patient_id?: string | null;
}

/** The inbox on connect. */
export interface InboxMessage {
  readonly type: "inbox";
  readonly payload: OpenInbox;
}

/** What has changed since the message before. Several changes at once come as one message. */
export interface InboxUpdate {
  readonly type: "inbox_update";
  readonly payload: ChangedInbox;
}

/** The patient's state: on connect, for `fetch_initial_state`, and after a merge into another record. */
export interface InitialState {
  readonly type: "initial_state";
  readonly payload: CurrentState;
}

/**
 * Says which case the page shows from now on; null for none. Others see the name of the person beside that case.
 * A change of the case's patient is told as a change of the case, and so is one of `patient_id`, such as a patient to whom the case may be assigned.
 */
export interface LookAtCase {
  readonly command: "look";
  readonly exception_id?: string | null;
  readonly patient_id?: string | null;
}

/** Which journey state belongs to a state of the current queue entry, and the other way round. */
export interface Mappings {
  readonly queue_to_journey: {readonly [name: string]: string};
  readonly journey_to_queue: {readonly [name: string]: string};
}

/** The number of open cases, and who has which case open. `viewer_id` is the socket's own. */
export interface OpenInbox {
  readonly viewer_id: string;
  readonly open: number;
  readonly viewers: readonly (CaseViewer)[];
}

/** Another live entry of the same patient. */
export interface OtherEntry {
  readonly queue_id: string;
  readonly exam_id: string;
  readonly exam_name: string;
  readonly room: string;
  readonly state: string;
  readonly queue_number: string;
}

/** A patient's or a staff member's action. `read_action_request()` reads it. */
export interface PerformAction {
  readonly action_id?: string | null;
  readonly action_type: ActionType;
  readonly payload?: ActionPayload | null;
}

/** Does an action, as over HTTP. Staff name the patient in the payload. */
export interface PerformCommand {
  readonly command: "perform_action";
  readonly action_id?: string | null;
  readonly action_type: ActionType;
  readonly payload?: ActionPayload | null;
}

/** Asks for a `pong`: every 30 seconds. */
export interface Ping {
  readonly command: "ping";
}

/** The answer to `ping`. */
export interface Pong {
  readonly type: "pong";
}

/**
 * One place in a line. `estimated_wait_time` is in minutes. It and `people_ahead` are 0 once the patient is called.
 * `room` is the exam's, or the one that the patient was called into. `label_aliases` are the other numbers that were printed for the same place, left out where there are none. `exam_id` is empty for the token of a visit.
 */
export interface QueueDetail {
  readonly queue_id: string;
  readonly exam_id: string;
  readonly exam_name: string;
  readonly state: QueueState;
  readonly queue_number: string;
  readonly estimated_wait_time: number;
  readonly room: string;
  readonly people_ahead: number;
  readonly label_aliases?: readonly (string)[];
}

/** Goes on with a newer token of the same bearer. */
export interface Renew {
  readonly command: "renew";
  readonly token: string;
}

/** The answer to `renew`: the socket goes on with the newer token. */
export interface Renewed {
  readonly type: "renewed";
}

/**
 * The states and actions of the site, in their order, and {state: {action: next state}}.
 * `priorities` are the kinds for which staff let a patient go first, and whether they have to say why.
 */
export interface StateDefinitions {
  readonly definitions_version: number;
  readonly journey_states: readonly JourneyState[];
  readonly queue_states: readonly QueueState[];
  readonly patient_actions: readonly ActionType[];
  readonly staff_actions: readonly ActionType[];
  readonly state_transitions: {readonly [name: string]: {readonly [name: string]: string}};
  readonly mappings: Mappings;
  readonly priorities: {readonly [name: string]: boolean};
}

/** The patient's state after a change over any channel. Several changes at once may come as one message. */
export interface StateUpdate {
  readonly type: "state_update";
  readonly payload: UpdatedState;
  readonly action_id: string | null;
}

/** The last press of staff on an entry, which can be taken back. */
export interface Undoable {
  readonly action_id: string;
  readonly action: ActionType | null;
  readonly at: string;
  readonly by: string;
}

/** The whole state, and the action that led to it. */
export interface UpdatedState {
  readonly journey_state: JourneyState;
  readonly queue_details: readonly (QueueDetail)[];
  readonly appointments: readonly (AppointmentDetail)[];
  readonly available_actions: readonly ActionType[];
  readonly timestamp: string;
  readonly journey_version: number;
  readonly action?: ActionType | null;
}

/** Watches other exams from now on; without any, all exams. */
export interface Watch {
  readonly command: "watch";
  readonly exams?: readonly (string)[];
}

export type ServerMessage = InitialState | StateUpdate | ActionDone | ActionRefused | Pong | Renewed | ErrorMessage;

export type ClientCommand = Ping | FetchInitialState | PerformCommand | Renew;

export type BoardServerMessage = BoardMessage | BoardUpdateMessage | Pong | Renewed | ErrorMessage;

export type BoardClientCommand = Watch | Ping | Renew;

export type InboxServerMessage = InboxMessage | InboxUpdate | Pong | Renewed | ErrorMessage;

export type InboxClientCommand = LookAtCase | Ping | Renew;
