// @ts-check
/** Opening and naming microphones. */
import { Problem } from "./problem.js";

/** @typedef {import("./problem.js").TextKey} TextKey */

/** What the browser's refusals mean. @type {Record<string, TextKey>} */
const BY_NAME = {
  NotAllowedError: "error_microphone_denied",
  SecurityError: "error_microphone_denied",
  NotFoundError: "error_microphone_missing",
  OverconstrainedError: "error_microphone_missing",
  NotReadableError: "error_microphone_busy",
  AbortError: "error_microphone_busy",
};

/** @param {unknown} error */
export function microphoneProblem(error) {
  const { name = "", message = "" } = error instanceof Error ? error : {};
  return new Problem(BY_NAME[name] ?? "error_browser", {}, BY_NAME[name] ? "" : message);
}

/**
 * Ask for a microphone with the browser's echo, noise and level correction on.
 *
 * @param {string} deviceId  "" for the default one
 * @returns {Promise<MediaStream>}
 */
export async function openMicrophone(deviceId) {
  if (!navigator.mediaDevices) throw new Problem("error_microphone_insecure");
  const corrected = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const device = deviceId ? { deviceId: { exact: deviceId } } : {};
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { ...corrected, ...device } });
  } catch (error) {
    throw microphoneProblem(error);
  }
}

/** @param {MediaStream | null} microphone */
export function closeMicrophone(microphone) {
  for (const track of microphone?.getTracks() ?? []) track.stop();
}

/**
 * The microphones that may be chosen. Before permission is given a browser names none of them.
 *
 * @returns {Promise<{id: string, name: string}[]>}
 */
export async function listMicrophones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices
    .filter(({ kind, deviceId }) => kind === "audioinput" && deviceId && deviceId !== "default")
    .map(({ deviceId, label }) => ({ id: deviceId, name: label }));
}

/** @param {() => void} onChange  called when one is plugged in or out */
export function watchMicrophones(onChange) {
  navigator.mediaDevices?.addEventListener("devicechange", onChange);
}
