// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { Problem } from "../../web_client/problem.js";
import { GRACE_S, keepTicket, persist, takeTicket } from "../../web_client/ticket.js";

const values = /** @type {Map<string, string>} */ (new Map());
Object.assign(globalThis, {
  sessionStorage: {
    getItem: (/** @type {string} */ key) => values.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void values.set(key, value),
    removeItem: (/** @type {string} */ key) => void values.delete(key),
  },
});

/** A clock that sleeps in no time. */
function clock() {
  const slept_ms = /** @type {number[]} */ ([]);
  const now_ms = () => slept_ms.reduce((sum, each) => sum + each, 0);
  return { slept_ms, now_ms, sleep: async (/** @type {number} */ pause_ms) => void slept_ms.push(pause_ms) };
}

test("a ticket is good once, and not for long", () => {
  const kept = { ticket: "secret", isMuted: true };
  keepTicket(kept, 1000);
  assert.deepEqual(takeTicket(1000 + GRACE_S * 1000 - 1), kept);
  assert.equal(takeTicket(1000), null);
  keepTicket(kept, 1000);
  assert.equal(takeTicket(1000 + GRACE_S * 1000), null);
  assert.equal(values.size, 0);
});

test("what may pass is tried again, with growing pauses", async () => {
  const time = clock();
  let left = 4;
  const attempt = async () => {
    if (left--) throw new Problem(left % 2 ? "error_offline" : "error_ice");
    return "there";
  };
  assert.equal(await persist(attempt, time), "there");
  assert.deepEqual(time.slept_ms, [0, 500, 1000, 2000, 2000]);
});

test("what does not pass is told at once, and everything else in the end", async () => {
  const [lost, offline] = [new Problem("error_lost"), new Problem("error_offline")];
  const once = clock();
  await assert.rejects(persist(() => Promise.reject(lost), once), lost);
  assert.deepEqual(once.slept_ms, [0]);
  const long = clock();
  await assert.rejects(persist(() => Promise.reject(offline), long), offline);
  assert.ok(long.now_ms() > 20_000 && long.now_ms() < 30_000);
});
