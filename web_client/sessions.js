// @ts-check
/** Sessions over HTTP, as docs/protocol.md has them. */
import { withToken } from "./access.js";
import { request } from "./server.js";

/** @typedef {{path: string, answer: string, ticket: string}} OpenedSession  the ticket takes the session back */

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
  const [path, fresh] = ["Location", "Reclaim-Token"].map((name) => response.headers.get(name) ?? "");
  return { path: path ?? "", ticket: fresh ?? "", answer: await response.text() };
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
