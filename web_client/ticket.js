// @ts-check
/** What a page that is loaded again needs to go on with its call. It lives as long as the tab, and not long. */
import { Problem } from "./problem.js";

const KEY = "vexpress-call";
/** How long the server waits for a page that is loaded again. */
export const GRACE_S = 8;
/** A server gives up those who are away after 20 s. */
const TRY_FOR_MS = 25_000;
const PAUSES_MS = [0, 500, 1000, 2000];
/** What may pass by itself. @type {import("./problem.js").TextKey[]} */
const PASSING = ["error_offline", "error_busy", "error_not_ready", "error_too_often", "error_ice"];

/** @typedef {{ticket: string, isMuted: boolean}} Kept */

/** @param {Kept} kept @param {number} now_ms */
export function keepTicket(kept, now_ms) {
  sessionStorage.setItem(KEY, JSON.stringify({ ...kept, until_ms: now_ms + GRACE_S * 1000 }));
}

/** The ticket, if there is one that can still be good; it can be taken once. @param {number} now_ms @returns {Kept | null} */
export function takeTicket(now_ms) {
  const { ticket, isMuted, until_ms } = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
  sessionStorage.removeItem(KEY);
  return ticket && now_ms < until_ms ? { ticket, isMuted } : null;
}

/**
 * Try until it succeeds, as long as what fails may pass by itself.
 *
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {{sleep: (pause_ms: number) => Promise<void>, now_ms: () => number}} clock
 * @returns {Promise<T>}
 */
export async function persist(attempt, { sleep, now_ms }) {
  const end_ms = now_ms() + TRY_FOR_MS;
  for (let count = 0; ; count += 1) {
    await sleep(PAUSES_MS[Math.min(count, PAUSES_MS.length - 1)] ?? 0);
    try {
      return await attempt();
    } catch (error) {
      const mayPass = error instanceof Problem && PASSING.includes(error.key);
      if (!mayPass || now_ms() > end_ms) throw error;
    }
  }
}

/** The real one. */
export const CLOCK = {
  /** @param {number} pause_ms @returns {Promise<void>} */
  sleep: (pause_ms) => new Promise((resolve) => window.setTimeout(resolve, pause_ms)),
  now_ms: () => performance.now(),
};
