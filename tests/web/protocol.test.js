// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { decode, encode } from "../../web_client/protocol.js";

const golden = JSON.parse(readFileSync(new URL("../golden/protocol.json", import.meta.url), "utf8"));

for (const { text, value } of golden) {
  test(`golden ${value.type}`, () => {
    assert.deepEqual(decode(text), value);
    assert.deepEqual(JSON.parse(encode(value)), JSON.parse(text));
  });
}

test("mic-to-lips may be unknown", () => {
  const stats = golden.find((/** @type {any} */ { value }) => value.type === "stats").value;
  const unknown = { ...stats, mic_to_lips_ms: null };
  assert.deepEqual(decode(JSON.stringify(unknown)), unknown);
});

test("anything else is refused", () => {
  const wrong = [
    "",
    "null",
    "[]",
    "{}",
    '{"type": "nonsense"}',
    '{"type": "toString"}',
    '{"type": "pong"}',
    '{"type": "ping", "id": 1.5}',
    '{"type": "interrupted", "epoch": 2}',
    '{"type": "closing", "reason": 3}',
    '{"type": "directed", "direction": {}, "notes": []}',
    '{"type": "directed", "notes": []}',
    '{"type": "camera", "state": "asleep", "faces": 1}',
    '{"type": "refused", "code": "x"}',
    '{"type": "stats", "fps": 25}',
  ];
  for (const text of wrong) assert.throws(() => decode(text), text);
});
