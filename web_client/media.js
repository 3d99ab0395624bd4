// @ts-check
/** What cameras and microphones have in common: how a browser refuses them, and how they close. */
import { Problem } from "./problem.js";

/** @typedef {import("./problem.js").TextKey} TextKey */

/**
 * The explanations for a device.
 *
 * @typedef {object} Refusals
 * @property {TextKey} denied
 * @property {TextKey} missing
 * @property {TextKey} busy
 */

/** What the browser's refusals mean. @type {Record<string, keyof Refusals>} */
const BY_NAME = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

/**
 * Ask the browser for a camera or a microphone.
 *
 * @param {MediaStreamConstraints} wanted
 * @param {Refusals} refusals
 * @returns {Promise<MediaStream>}
 */
export async function openMedia(wanted, refusals) {
  if (!navigator.mediaDevices) throw new Problem("error_microphone_insecure");
  try {
    return await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    throw refused(error, refusals);
  }
}

/** @param {MediaStream | null} stream */
export function closeMedia(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** @param {unknown} error @param {Refusals} refusals */
function refused(error, refusals) {
  const { name = "", message = "" } = error instanceof Error ? error : {};
  const reason = BY_NAME[name];
  return reason ? new Problem(refusals[reason]) : new Problem("error_browser", {}, message);
}
