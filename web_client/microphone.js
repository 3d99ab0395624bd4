// @ts-check
/** Opening and naming microphones. */
import { openMedia } from "./media.js";

/** @type {import("./media.js").Refusals} */
const REFUSALS = {
  denied: "error_microphone_denied",
  missing: "error_microphone_missing",
  busy: "error_microphone_busy",
};

/**
 * Ask for a microphone with the browser's echo, noise and level correction on.
 *
 * @param {string} deviceId  "" for the default one
 * @returns {Promise<MediaStream>}
 */
export async function openMicrophone(deviceId) {
  const corrected = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const device = deviceId ? { deviceId: { exact: deviceId } } : {};
  return await openMedia({ audio: { ...corrected, ...device } }, REFUSALS);
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
