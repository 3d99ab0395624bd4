// @ts-check
/** Sessions over HTTP, as docs/protocol.md has them. */
import { withToken } from "./access.js";
import { request } from "./server.js";

/** @typedef {{path: string, answer: string, ticket: string, tag: string}} OpenedSession  the ticket takes the session back */

/**
 * Offer a call to the server.
 *
 * @param {string | null} avatarId  null for the server's default
 * @param {string} offer
 * @param {string} [ticket]  of a session to go on with, instead of a new one
 * @returns {Promise<OpenedSession>}
 */
export async function openSession(avatarId, offer, ticket) {
  const query = avatarId === null || ticket ? "" : `?avatar=${encodeURIComponent(avatarId)}`;
  const headers = { "Content-Type": "application/sdp", ...(ticket && { "Reclaim-Token": ticket }) };
  const response = await request(`/v1/sessions${query}`, { method: "POST", headers, body: offer });
  const header = (/** @type {string} */ name) => response.headers.get(name) ?? "";
  const [path, fresh, tag] = [header("Location"), header("Reclaim-Token"), header("ETag")];
  return { path, ticket: fresh, tag, answer: await response.text() };
}

/**
 * Tell of ways to this browser that were found after the offer. Without them there may still be one.
 *
 * @param {string} path
 * @param {string} tag  of the answer
 * @param {string} fragment
 */
export async function sendFragment(path, tag, fragment) {
  const headers = withToken({ "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": tag });
  await fetch(path, { method: "PATCH", headers, body: fragment }).catch(() => undefined);
}

/**
 * End a session. It outlives the page, and the server may have ended the session itself.
 *
 * @param {string} path
 * @param {number} [grace_s]  that the server waits for somebody who takes the session back
 */
export async function closeSession(path, grace_s) {
  const address = grace_s ? `${path}?grace_s=${grace_s}` : path;
  await fetch(address, { method: "DELETE", headers: withToken(), keepalive: true }).catch(() => undefined);
}

/** Stop talking, when the data channel is not open. A session that is gone needs none of it. @param {string} path */
export async function interruptSession(path) {
  await fetch(`${path}/interrupt`, { method: "POST", headers: withToken() }).catch(() => undefined);
}
