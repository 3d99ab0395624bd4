// @ts-check
/** The server's HTTP interface, as docs/protocol.md has it. */
import { withToken } from "./access.js";
import { Problem } from "./problem.js";

/**
 * @typedef {object} Avatar
 * @property {string} id
 * @property {string} name
 * @property {number} width
 * @property {number} height
 * @property {string} picture  a path
 * @property {boolean} builtin
 * @property {string} framing  crop or full
 * @property {string} background  keep, blur, #rrggbb or picture
 */
/** @typedef {{default: string | null, avatars: Avatar[]}} AvatarList */
/** @typedef {{version: string, engine: string, needs_token: boolean}} Config */
/** @typedef {import("./problem.js").TextKey} TextKey */

const DEFAULT_RETRY_S = 5;

/** @type {Record<string, TextKey>} */
const BY_CODE = {
  no_face: "error_no_face",
  several_faces: "error_several_faces",
  face_too_small: "error_face_too_small",
  face_turned: "error_face_turned",
  unknown_avatar: "error_avatar_gone",
  unknown_session: "error_lost",
  built_in_avatar: "error_builtin",
  too_many_avatars: "error_too_many",
  name_taken: "error_name_taken",
  same_avatar: "error_same_avatar",
  not_ready: "error_not_ready",
  unauthorized: "error_token",
  wrong_role: "error_role",
};

/** @type {Record<number, TextKey>} */
const BY_STATUS = {
  413: "error_too_large",
  415: "error_not_a_picture",
  429: "error_too_often",
  503: "error_busy",
};

/**
 * What a refusal means.
 *
 * @param {number} status
 * @param {string} body  `{"error": {"code", "message"}}`, or anything that a proxy may put there
 * @param {string | null} retryAfter  seconds
 */
export function problemOf(status, body, retryAfter) {
  const { code, message } = errorIn(body);
  const key = BY_CODE[code] ?? BY_STATUS[status] ?? "error_server";
  const seconds = Number(retryAfter) || DEFAULT_RETRY_S;
  return new Problem(key, { status: String(status), seconds }, message);
}

/** @param {string} body @returns {{code: string, message: string}} */
function errorIn(body) {
  try {
    const { code, message } = JSON.parse(body).error;
    return { code: String(code ?? ""), message: String(message ?? "") };
  } catch {
    return { code: "", message: "" };
  }
}

/** @param {string} path @param {{method?: string, headers?: Record<string, string>, body?: string}} [options] */
export async function request(path, options = {}) {
  const headers = withToken(options.headers);
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    throw new Problem("error_offline", {}, error instanceof TypeError ? "" : String(error));
  });
  if (response.ok) return response;
  throw problemOf(response.status, await response.text(), response.headers.get("Retry-After"));
}

/** @returns {Promise<Config>} */
export const getConfig = async () => (await request("/v1/config")).json();

/** How to find a way to the server. @returns {Promise<RTCConfiguration>} */
export async function getIce() {
  const { ice_servers, ice_transport_policy } = await (await request("/v1/ice-servers")).json();
  return { iceServers: ice_servers, iceTransportPolicy: ice_transport_policy };
}

/** @returns {Promise<AvatarList>} */
export const getAvatars = async () => (await request("/v1/avatars")).json();

/** @param {string} avatarId */
export async function deleteAvatar(avatarId) {
  await request(`/v1/avatars/${encodeURIComponent(avatarId)}`, { method: "DELETE" });
}

/**
 * @param {string} avatarId
 * @param {Record<string, string>} changes  name, framing, background, size
 * @returns {Promise<Avatar>}
 */
export async function changeAvatar(avatarId, changes) {
  const headers = { "Content-Type": "application/json" };
  const options = { method: "PATCH", headers, body: JSON.stringify(changes) };
  return (await request(`/v1/avatars/${encodeURIComponent(avatarId)}`, options)).json();
}

/**
 * Upload a portrait. `fetch` cannot report how much was sent, so this is the older interface.
 *
 * @param {Blob} picture
 * @param {string} name
 * @param {import("./look.js").Look} look
 * @param {(sentShare: number) => void} onProgress  0 to 1
 * @returns {Promise<Avatar>}
 */
export function uploadAvatar(picture, name, look, onProgress) {
  const form = new FormData();
  form.append("picture", picture, "portrait.jpg");
  for (const [field, value] of Object.entries({ name, consent: "true", ...look })) form.append(field, value);
  const upload = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    upload.upload.addEventListener("progress", ({ loaded, total }) => onProgress(loaded / total));
    upload.addEventListener("error", () => reject(new Problem("error_offline")));
    upload.addEventListener("load", () => {
      const { status, responseText } = upload;
      if (status === 201) resolve(JSON.parse(responseText));
      else reject(problemOf(status, responseText, upload.getResponseHeader("Retry-After")));
    });
    upload.open("POST", "/v1/avatars");
    for (const [header, value] of Object.entries(withToken())) upload.setRequestHeader(header, value);
    upload.send(form);
  });
}
