// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { RoundTrips } from "../../web_client/control.js";
import { levelOf } from "../../web_client/level.js";
import { decodedIn, rateBetween } from "../../web_client/readout.js";

test("decoded frames are found in a report", () => {
  const audio = { type: "inbound-rtp", kind: "audio", timestamp: 5 };
  const video = { type: "inbound-rtp", kind: "video", timestamp: 5, framesDecoded: 40 };
  assert.deepEqual(decodedIn(new Map([["A", audio], ["V", video]])), { frames: 40, at_ms: 5 });
  assert.deepEqual(decodedIn(new Map([["V", { ...video, framesDecoded: undefined }]])), { frames: 0, at_ms: 5 });
  assert.equal(decodedIn(new Map([["A", audio]])), null);
});

test("the rate follows the report's own clock", () => {
  assert.equal(rateBetween({ frames: 10, at_ms: 1000 }, { frames: 35, at_ms: 2000 }), 25);
  assert.equal(rateBetween({ frames: 10, at_ms: 1000 }, { frames: 30, at_ms: 1800 }), 25);
  assert.equal(rateBetween({ frames: 10, at_ms: 1000 }, { frames: 10, at_ms: 1000 }), null);
  assert.equal(rateBetween({ frames: 10, at_ms: 1000 }, { frames: 0, at_ms: 2000 }), null);
});

test("an answered ping gives its round trip once", () => {
  const trips = new RoundTrips();
  const [first, second] = [trips.begin(100), trips.begin(200)];
  assert.notEqual(first, second);
  assert.equal(trips.end(second, 230), 30);
  assert.equal(trips.end(second, 240), null);
  assert.equal(trips.end(first, 260), 160);
});

test("pings that nobody answers are forgotten", () => {
  const trips = new RoundTrips();
  const first = trips.begin(0);
  const later = Array.from({ length: 10 }, (_, index) => trips.begin(index));
  assert.equal(trips.end(first, 20), null);
  for (const [sent_ms, id] of later.entries()) assert.equal(trips.end(id, 20), 20 - sent_ms);
});

test("the meter spans sixty decibels", () => {
  assert.equal(levelOf(0), 0);
  assert.equal(levelOf(1e-6), 0);
  assert.ok(Math.abs(levelOf(10 ** (-30 / 20)) - 0.5) < 1e-9);
  assert.equal(levelOf(1), 1);
  assert.equal(levelOf(3), 1);
});
