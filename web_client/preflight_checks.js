// @ts-check
/** Each leg of a call, tried by itself. A leg that needs an earlier one is tried after it. */
import { socketAddress } from "./access.js";
import { Call } from "./call.js";
import { byId } from "./dom.js";
import { LevelMeter } from "./level.js";
import { openMicrophone } from "./microphone.js";
import { gatherCandidates } from "./preflight_ice.js";
import { getIce } from "./server.js";

/** @typedef {{state: "done" | "failed" | "skipped", words: string}} Finding */
/** @typedef {{network: RTCConfiguration, microphone: MediaStream | null}} Found */
/** @typedef {(found: Found) => Promise<Finding>} Check */

const LISTEN_MS = 3000;
const QUIET = 0.15; // of the meter's scale, which ends at -60 dB
const SOCKET_MS = 5000;
const MEDIA_MS = 8000;

/** @param {string} words @returns {Finding} */
const works = (words) => ({ state: "done", words });
/** @param {string} words @returns {Finding} */
const fails = (words) => ({ state: "failed", words });
/** @param {string} words @returns {Finding} */
const needless = (words) => ({ state: "skipped", words });

/** @param {number} delay_ms @returns {Promise<void>} */
const pause = (delay_ms) => new Promise((resolve) => void window.setTimeout(resolve, delay_ms));

/** @type {Check} */
async function secure() {
  if (window.isSecureContext) return works("");
  return fails("browsers give the microphone to https pages and to localhost only. Open this page by https.");
}

/** @type {Check} */
async function server() {
  const response = await fetch("/readyz").catch(() => null);
  if (!response) return fails("the server does not answer. Is it running, and does a proxy or firewall let you through?");
  return response.ok ? works("") : fails("the server is still loading. Wait a minute, then check again.");
}

/** @type {Check} */
async function access(found) {
  found.network = await getIce();
  return works("");
}

/** @type {Check} */
async function microphone(found) {
  found.microphone = await openMicrophone("");
  return works(found.microphone.getAudioTracks()[0]?.label ?? "");
}

/** @type {Check} */
async function level(found) {
  if (!found.microphone) return needless("without a microphone");
  let loudest = 0;
  const meter = new LevelMeter((now) => (loudest = Math.max(loudest, now)));
  await meter.start(found.microphone);
  for (let waited_ms = 0; waited_ms < LISTEN_MS && loudest < QUIET; waited_ms += 100) await pause(100);
  meter.stop();
  if (loudest >= QUIET) return works("");
  return fails("the microphone is open but silent. Is it muted, or is another one in use?");
}

/** @type {Check} */
function websocket() {
  return new Promise((resolve) => {
    const socket = new WebSocket(socketAddress("/v1/stream"));
    const finish = (/** @type {Finding} */ finding) => {
      resolve(finding);
      socket.close();
    };
    const blocked = "a proxy between you and the server does not pass websockets on";
    socket.addEventListener("open", () => finish(works("")));
    socket.addEventListener("error", () => finish(fails(blocked)));
    window.setTimeout(() => finish(fails(blocked)), SOCKET_MS);
  });
}

/** @type {Check} */
async function host(found) {
  if (found.network.iceTransportPolicy === "relay") return needless("this server wants a relay");
  const kinds = await gatherCandidates({ iceServers: [] });
  if (kinds.has("host")) return works("");
  return fails("this browser offers no address of its own. Is WebRTC switched off, by a setting or an extension?");
}

/** @type {Check} */
async function reflexive(found) {
  if (!uses(found, "stun")) return needless("this server names no STUN server");
  const kinds = await gatherCandidates(found.network);
  if (kinds.has("srflx")) return works("");
  return fails("the STUN server does not answer by UDP. Your network may block UDP; a TURN server by TCP would help.");
}

/** @type {Check} */
async function relay(found) {
  if (!uses(found, "turn")) return needless("this server names no TURN server");
  const kinds = await gatherCandidates({ ...found.network, iceTransportPolicy: "relay" });
  if (kinds.has("relay")) return works("");
  return fails("the TURN server gives no relay. It may be down, or refuse the credentials, or be blocked by your network.");
}

/** @type {Check} */
async function media(found) {
  const video = byId("sample", HTMLVideoElement);
  let isConnected = false;
  const call = new Call(found.network, found.microphone, {
    onStream: (stream) => (video.srcObject = stream),
    onTransport: (_, connection) => (isConnected ||= connection === "connected"),
    onOpen: () => undefined,
    onNotice: () => {},
    onRoundTrip: () => {},
    onLost: () => {},
  });
  video.hidden = false;
  try {
    await call.open(null);
    for (let waited_ms = 0; waited_ms < MEDIA_MS && !video.videoWidth; waited_ms += 100) await pause(100);
    if (video.videoWidth) return works(`${video.videoWidth}×${video.videoHeight} pixels`);
    if (isConnected) return fails("connected, but no picture came. The server's log may say why.");
    return fails("the server answered, but no packet came through. UDP is blocked between you and it; a TURN server by TCP would help.");
  } finally {
    await call.close();
    video.hidden = true;
  }
}

/** @param {Found} found @param {string} scheme */
function uses({ network }, scheme) {
  return (network.iceServers ?? []).some(({ urls }) => [urls].flat().some((url) => url.startsWith(scheme)));
}

/** @type {{name: string, title: string, check: Check}[]} */
export const CHECKS = [
  { name: "secure", title: "Secure page", check: secure },
  { name: "server", title: "Server", check: server },
  { name: "access", title: "Permission", check: access },
  { name: "microphone", title: "Microphone", check: microphone },
  { name: "level", title: "Microphone level", check: level },
  { name: "websocket", title: "Websocket", check: websocket },
  { name: "host", title: "UDP from this machine", check: host },
  { name: "reflexive", title: "UDP through your router (STUN)", check: reflexive },
  { name: "relay", title: "Through a relay (TURN)", check: relay },
  { name: "media", title: "A call: sound there, picture back", check: media },
];
