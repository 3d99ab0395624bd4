// @ts-check
/** Messages on the data channel, as docs/protocol.md has them. Both sides pass tests/golden/protocol.json. */

/** @typedef {{type: "interrupt"}} Interrupt  to the server: stop talking now */
/** @typedef {{type: "ping", id: number}} Ping  to the server: the page is alive */
/** @typedef {{type: "pong", id: number}} Pong  from the server, at once */
/** @typedef {{type: "interrupted", epoch: number, position_s: number}} Interrupted  from the server */
/** @typedef {{type: "ending", in_s: number, reason: string}} Ending  from the server: the session will end in so many seconds */
/** @typedef {{type: "closing", reason: string}} Closing  from the server: the session is about to end */
/**
 * From the server, once a second.
 *
 * @typedef {object} Stats
 * @property {"stats"} type
 * @property {number} shown_frames
 * @property {number} repeated_frames
 * @property {number} dropped_frames
 * @property {number} dropped_samples
 * @property {number} fps
 * @property {number | null} mic_to_lips_ms  null while nothing was shown
 * @property {number} skew_ms  release of the picture minus release of its samples
 * @property {boolean} speaking
 */
/**
 * How a portrait acts; what is left out of a `Direct` stays as it is.
 *
 * @typedef {object} Direction
 * @property {Record<string, number>} pose  yaw, pitch, roll in degrees; x, y in face widths; scale
 * @property {string} emotion
 * @property {number} emotion_strength  0 to 2, as all that follow
 * @property {number} strength
 * @property {number} mouth
 * @property {number} brows
 * @property {number} eyes
 */
/** @typedef {{type: "direct", direction: import("./direction.js").Changes}} Direct  to the server: act like this */
/** @typedef {{type: "gesture", name: string}} Gesture  to the server: make a movement */
/** @typedef {{type: "directed", direction: Direction, notes: string[]}} Directed  from the server: the whole direction */
/** @typedef {{type: "gestured", name: string}} Gestured  from the server: a gesture begins */
/** @typedef {{type: "refused", code: string, message: string}} Refused  from the server */
/** @typedef {{type: "camera", state: CameraState, faces: number}} CameraNews  from the server */
/** @typedef {"off" | "looking" | "driving"} CameraState */
/** @typedef {Interrupt | Ping | Direct | Gesture} ToServer */
/** @typedef {Pong | Interrupted | Ending | Closing | Stats | Directed | Gestured | Refused | CameraNews} FromServer */

const COUNTS = ["shown_frames", "repeated_frames", "dropped_frames", "dropped_samples"];

const STRENGTHS = ["emotion_strength", "strength", "mouth", "brows", "eyes"];
const CAMERA_STATES = ["off", "looking", "driving"];

/** @param {any} value */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** What each kind of message must hold. @type {Record<string, (value: any) => boolean>} */
const CHECKS = {
  interrupt: () => true,
  ping: (value) => Number.isInteger(value.id),
  pong: (value) => Number.isInteger(value.id),
  interrupted: (value) => Number.isInteger(value.epoch) && Number.isFinite(value.position_s),
  ending: (value) => Number.isFinite(value.in_s) && typeof value.reason === "string",
  direct: (value) => isObject(value.direction),
  gesture: (value) => typeof value.name === "string",
  directed: ({ direction, notes }) =>
    isObject(direction) &&
    isObject(direction.pose) &&
    Object.values(direction.pose).every(Number.isFinite) &&
    typeof direction.emotion === "string" &&
    STRENGTHS.every((name) => Number.isFinite(direction[name])) &&
    Array.isArray(notes) &&
    notes.every((note) => typeof note === "string"),
  gestured: (value) => typeof value.name === "string",
  refused: (value) => typeof value.code === "string" && typeof value.message === "string",
  camera: (value) => CAMERA_STATES.includes(value.state) && Number.isInteger(value.faces),
  closing: (value) => typeof value.reason === "string",
  stats: (value) =>
    COUNTS.every((name) => Number.isInteger(value[name])) &&
    Number.isFinite(value.fps) &&
    Number.isFinite(value.skew_ms) &&
    (value.mic_to_lips_ms === null || Number.isFinite(value.mic_to_lips_ms)) &&
    typeof value.speaking === "boolean",
};

/** @param {ToServer | FromServer} message */
export const encode = (message) => JSON.stringify(message);

/**
 * Read one message, of either direction. Throws on anything that the protocol does not know.
 *
 * @param {string} source
 * @returns {ToServer | FromServer}
 */
export function decode(source) {
  const value = JSON.parse(source);
  const kind = value?.type;
  if (typeof kind !== "string" || !Object.hasOwn(CHECKS, kind) || !CHECKS[kind]?.(value)) {
    throw new Error(`not a message of the protocol: ${source.slice(0, 120)}`);
  }
  return value;
}
