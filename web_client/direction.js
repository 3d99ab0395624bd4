// @ts-check
/** What can be asked of a portrait, without the page: fields, presets, and changes on their way. */

/** @typedef {import("./protocol.js").Direction} Direction */
/** @typedef {Partial<Omit<Direction, "pose">> & {pose?: Record<string, number>}} Changes */
/** @typedef {import("./strings.js").TextKey} TextKey */

/** The neutral direction: every portrait begins with it, and "Reset" returns to it. @type {Direction} */
export const NEUTRAL = {
  pose: { yaw: 0, pitch: 0, roll: 0, x: 0, y: 0, scale: 1 },
  emotion: "neutral",
  emotion_strength: 1,
  strength: 1,
  mouth: 1,
  brows: 1,
  eyes: 1,
};

/** Complete directions; what they leave out is neutral. @type {Record<string, {key: TextKey, changes: Changes}>} */
export const PRESETS = {
  natural: { key: "preset_natural", changes: {} },
  calm: { key: "preset_calm", changes: { strength: 0.75, eyes: 0.6 } },
  warm: { key: "preset_warm", changes: { emotion: "smile", emotion_strength: 0.6, pose: { roll: 2 } } },
  news: { key: "preset_news", changes: { emotion: "serious", emotion_strength: 0.5, eyes: 0.4 } },
  lively: { key: "preset_lively", changes: { strength: 1.3, brows: 1.5, emotion: "smile", emotion_strength: 0.4 } },
};

/** Names of the table that the page can translate; others are shown as they are. @type {Record<string, TextKey>} */
export const NAMES = {
  neutral: "emotion_neutral",
  smile: "emotion_smile",
  serious: "emotion_serious",
  surprised: "emotion_surprised",
  nod: "gesture_nod",
  shake: "gesture_shake",
  look_left: "gesture_look_left",
  look_right: "gesture_look_right",
  look_up: "gesture_look_up",
  look_down: "gesture_look_down",
  tilt: "gesture_tilt",
  blink: "gesture_blink",
  wink: "gesture_wink",
  brows: "gesture_brows",
};

const POSE_FIELDS = ["yaw", "pitch", "roll"];

/** One slider's value as changes. @param {string} field @param {number} value @returns {Changes} */
export function changeOf(field, value) {
  return POSE_FIELDS.includes(field) ? { pose: { [field]: value } } : { [field]: value };
}

/** What a slider shows of a direction. @param {Direction} direction @param {string} field @returns {number} */
export function valueOf(direction, field) {
  return Number(POSE_FIELDS.includes(field) ? direction.pose[field] : Reflect.get(direction, field));
}

/** A slider's value in words. @param {string} field @param {number} value */
export const worded = (field, value) =>
  POSE_FIELDS.includes(field) ? `${value}°` : `${Math.round(value * 100)} %`;

/** @param {Changes} earlier @param {Changes} later @returns {Changes} */
export function merged(earlier, later) {
  const pose = { ...earlier.pose, ...later.pose };
  return { ...earlier, ...later, ...(Object.keys(pose).length > 0 ? { pose } : {}) };
}

/** A whole direction, so that nothing of an earlier one stays. @param {Changes} changes @returns {Direction} */
export const fromNeutral = (changes) => /** @type {Direction} */ (merged(NEUTRAL, changes));

/** The preset that is in force, if one is. @param {Direction} direction @returns {string} */
export function presetOf(direction) {
  const wanted = JSON.stringify(fromNeutral(direction));
  const found = Object.entries(PRESETS).find(([, { changes }]) => JSON.stringify(fromNeutral(changes)) === wanted);
  return found?.[0] ?? "";
}

/** Collects changes, so that a slider sends the newest of them and not a hundred a second. */
export class Outbox {
  #period_ms;
  #send;
  /** @type {Changes | null} */
  #waiting = null;
  #isPausing = false;

  /** @param {number} period_ms @param {(changes: Changes) => void} send */
  constructor(period_ms, send) {
    this.#period_ms = period_ms;
    this.#send = send;
  }

  /** Whether something was sent just now, or waits. */
  get isBusy() {
    return this.#isPausing;
  }

  /** @param {Changes} changes */
  add(changes) {
    this.#waiting = merged(this.#waiting ?? {}, changes);
    if (!this.#isPausing) this.#flush();
  }

  clear() {
    this.#waiting = null;
  }

  #flush() {
    const changes = this.#waiting;
    this.#isPausing = changes !== null;
    this.#waiting = null;
    if (changes === null) return;
    this.#send(changes);
    setTimeout(() => this.#flush(), this.#period_ms);
  }
}
