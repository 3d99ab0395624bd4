// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { transportSteps } from "../../web_client/steps.js";

/**
 * @param {RTCIceConnectionState} ice
 * @param {RTCPeerConnectionState} connection
 * @param {boolean} [wasLive]
 */
function outline(ice, connection, wasLive = false) {
  const steps = transportSteps(ice, connection, wasLive);
  return [steps.ice.state, steps.dtls.state, steps.ice.problem?.key ?? steps.dtls.problem?.key];
}

test("a call that works goes through its steps in order", () => {
  assert.deepEqual(outline("new", "new"), ["active", "pending", undefined]);
  assert.deepEqual(outline("checking", "connecting"), ["active", "pending", undefined]);
  assert.deepEqual(outline("connected", "connecting"), ["done", "active", undefined]);
  assert.deepEqual(outline("connected", "connected"), ["done", "done", undefined]);
  assert.deepEqual(outline("completed", "connected"), ["done", "done", undefined]);
});

test("a failure is blamed on the step that failed", () => {
  assert.deepEqual(outline("failed", "failed"), ["failed", "pending", "error_ice"]);
  assert.deepEqual(outline("failed", "connecting"), ["failed", "pending", "error_ice"]);
  assert.deepEqual(outline("connected", "failed"), ["done", "failed", "error_dtls"]);
});

test("a connection that worked once stalls, recovers or is lost", () => {
  assert.deepEqual(outline("disconnected", "disconnected", true), ["active", "done", "note_recovering"]);
  assert.deepEqual(outline("connected", "connected", true), ["done", "done", undefined]);
  assert.deepEqual(outline("failed", "failed", true), ["failed", "done", "error_lost"]);
});
