// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { NEUTRAL, Outbox, PRESETS, changeOf, fromNeutral, merged, presetOf, valueOf, worded } from "../../web_client/direction.js";

test("a slider changes its own field and no other", () => {
  assert.deepEqual(changeOf("yaw", 3), { pose: { yaw: 3 } });
  assert.deepEqual(changeOf("brows", 1.5), { brows: 1.5 });
  const direction = fromNeutral({ pose: { yaw: 3 }, brows: 1.5 });
  assert.equal(valueOf(direction, "yaw"), 3);
  assert.equal(valueOf(direction, "brows"), 1.5);
  assert.equal(valueOf(direction, "pitch"), 0);
  assert.equal(worded("yaw", -3.5), "-3.5°");
  assert.equal(worded("brows", 1.05), "105 %");
});

test("later changes win, and keep what they do not name", () => {
  const both = merged({ pose: { yaw: 1, roll: 2 }, emotion: "smile" }, { pose: { yaw: 5 } });
  assert.deepEqual(both, { pose: { yaw: 5, roll: 2 }, emotion: "smile" });
  assert.deepEqual(merged({}, { eyes: 1 }), { eyes: 1 });
});

test("a preset is known again, and anything else is one's own", () => {
  for (const [name, { changes }] of Object.entries(PRESETS)) assert.equal(presetOf(fromNeutral(changes)), name);
  assert.equal(presetOf(NEUTRAL), "natural");
  assert.equal(presetOf(fromNeutral({ pose: { yaw: 1 } })), "");
});

test("the first change leaves at once, then the newest of many, and all fields arrive", async () => {
  /** @type {import("../../web_client/direction.js").Changes[]} */
  const sent = [];
  const outbox = new Outbox(10, (changes) => sent.push(changes));
  for (let yaw = 1; yaw <= 9; yaw += 1) outbox.add(changeOf("yaw", yaw));
  outbox.add({ emotion: "smile" });
  assert.deepEqual(sent, [{ pose: { yaw: 1 } }]);
  assert.ok(outbox.isBusy);
  while (outbox.isBusy) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(sent.slice(1), [{ pose: { yaw: 9 }, emotion: "smile" }]);
});

test("what waits for a call that ended is not sent", async () => {
  let count = 0;
  const outbox = new Outbox(5, () => (count += 1));
  outbox.add({ eyes: 1 });
  outbox.add({ eyes: 2 });
  outbox.clear();
  while (outbox.isBusy) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(count, 1);
});
