// @ts-check
/** Opening the camera. */
import { openMedia } from "./media.js";

/** Enough to find a face in, and little to send. The server looks at 25 pictures a second. */
const WANTED = {
  width: { ideal: 480 },
  height: { ideal: 360 },
  frameRate: { ideal: 25, max: 30 },
  facingMode: "user",
};

/** @type {import("./media.js").Refusals} */
const REFUSALS = {
  denied: "error_camera_denied",
  missing: "error_camera_missing",
  busy: "error_camera_busy",
};

/** @returns {Promise<MediaStream>} */
export async function openCamera() {
  return await openMedia({ video: WANTED }, REFUSALS);
}
