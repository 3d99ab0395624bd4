// @ts-check
/** The small numbers under the connection steps. */
import { byId } from "./dom.js";
import { clear, show } from "./strings.js";

/** @typedef {import("./protocol.js").Stats} Stats */
/** @typedef {{frames: number, at_ms: number}} Decoded  how many frames were decoded, and when that was so */

const NAMES = /** @type {const} */ (["fps", "rtt", "mic-to-lips", "skew", "drops"]);
const EMPTY = "–";

/**
 * How many frames the browser has decoded, by its own statistics.
 *
 * @param {Iterable<[string, any]>} report  as from `getStats`
 * @returns {Decoded | null}
 */
export function decodedIn(report) {
  for (const [, entry] of report) {
    if (entry.type === "inbound-rtp" && entry.kind === "video") {
      return { frames: entry.framesDecoded ?? 0, at_ms: entry.timestamp };
    }
  }
  return null;
}

/** @param {Decoded} before @param {Decoded} now @returns {number | null} */
export function rateBetween(before, now) {
  const passed_ms = now.at_ms - before.at_ms;
  if (passed_ms <= 0 || now.frames < before.frames) return null;
  return ((now.frames - before.frames) * 1000) / passed_ms;
}

export class Readout {
  /** @type {Decoded | null} */
  #before = null;

  /** Nothing is known yet. */
  reset() {
    this.#before = null;
    for (const name of NAMES) {
      clear(place(name));
      place(name).textContent = EMPTY;
    }
  }

  /** @param {RTCStatsReport} report */
  showReport(report) {
    const now = decodedIn(report);
    const rate = this.#before && now && rateBetween(this.#before, now);
    if (rate !== null) place("fps").textContent = rate.toFixed(1);
    this.#before = now;
  }

  /** @param {number} roundTrip_ms */
  showRoundTrip(roundTrip_ms) {
    showMilliseconds("rtt", roundTrip_ms);
  }

  /** @param {Stats} stats */
  showStats(stats) {
    if (stats.mic_to_lips_ms !== null) showMilliseconds("mic-to-lips", stats.mic_to_lips_ms);
    showMilliseconds("skew", stats.skew_ms);
    place("drops").textContent = String(stats.dropped_frames);
  }
}

/** @param {(typeof NAMES)[number]} name */
const place = (name) => byId(`readout-${name}`, HTMLElement);

/** @param {(typeof NAMES)[number]} name @param {number} value */
function showMilliseconds(name, value) {
  const whole = Math.round(value) || 0; // never "-0"
  show(place(name), "milliseconds", { value: whole });
}
