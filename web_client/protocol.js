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
/** @typedef {Interrupt | Ping} ToServer */
/** @typedef {Pong | Interrupted | Ending | Closing | Stats} FromServer */

const COUNTS = ["shown_frames", "repeated_frames", "dropped_frames", "dropped_samples"];

/** What each kind of message must hold. @type {Record<string, (value: any) => boolean>} */
const CHECKS = {
  interrupt: () => true,
  ping: (value) => Number.isInteger(value.id),
  pong: (value) => Number.isInteger(value.id),
  interrupted: (value) => Number.isInteger(value.epoch) && Number.isFinite(value.position_s),
  ending: (value) => Number.isFinite(value.in_s) && typeof value.reason === "string",
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
