// @ts-check
/** What a call asks of the browser's peer connection. */
import { Problem } from "./problem.js";

/** A way that is not found within this time is looked for again. */
const CONNECTING_LIMIT_MS = 5000;
/** Of a camera: a face that is looked at by a program, in a small picture. */
const CAMERA_BITS_PER_S = 500_000;

/** Show and play as soon as possible. @param {RTCRtpReceiver} receiver */
export function askForLowDelay(receiver) {
  if (Reflect.has(receiver, "jitterBufferTarget")) receiver.jitterBufferTarget = 0;
  else Object.assign(receiver, { playoutDelayHint: 0 }); // the name in older browsers
}

/** Send a camera's picture, or none. @param {RTCRtpSender} sender @param {MediaStream | null} camera */
export async function sendCamera(sender, camera) {
  await sender.replaceTrack(camera?.getVideoTracks()[0] ?? null);
  if (!camera) return;
  const parameters = sender.getParameters();
  for (const encoding of parameters.encodings) encoding.maxBitrate = CAMERA_BITS_PER_S;
  await sender.setParameters(parameters).catch(() => undefined); // then at the browser's own rate
}

/** Wait until media can flow. Throws a `Problem` when it cannot soon. @param {RTCPeerConnection} peer @returns {Promise<void>} */
export function connected(peer) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (peer.connectionState === "connected") resolve();
      else if (peer.connectionState === "failed") reject(new Problem("error_ice"));
    };
    peer.addEventListener("connectionstatechange", look);
    window.setTimeout(() => reject(new Problem("error_ice")), CONNECTING_LIMIT_MS);
    look();
  });
}
