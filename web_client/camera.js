// @ts-check
/** Opening and closing the camera. */
import { Problem } from "./problem.js";

/** @typedef {import("./problem.js").TextKey} TextKey */

/** Enough to find a face in, and little to send. The server looks at 25 pictures a second. */
const WANTED = {
  width: { ideal: 480 },
  height: { ideal: 360 },
  frameRate: { ideal: 25, max: 30 },
  facingMode: "user",
};

/** What the browser's refusals mean. @type {Record<string, TextKey>} */
const BY_NAME = {
  NotAllowedError: "error_camera_denied",
  SecurityError: "error_camera_denied",
  NotFoundError: "error_camera_missing",
  OverconstrainedError: "error_camera_missing",
  NotReadableError: "error_camera_busy",
  AbortError: "error_camera_busy",
};

/** @param {unknown} error */
export function cameraProblem(error) {
  const { name = "", message = "" } = error instanceof Error ? error : {};
  return new Problem(BY_NAME[name] ?? "error_browser", {}, BY_NAME[name] ? "" : message);
}

/** @returns {Promise<MediaStream>} */
export async function openCamera() {
  if (!navigator.mediaDevices) throw new Problem("error_microphone_insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: WANTED });
  } catch (error) {
    throw cameraProblem(error);
  }
}

/** @param {MediaStream | null} camera */
export function closeCamera(camera) {
  for (const track of camera?.getTracks() ?? []) track.stop();
}
