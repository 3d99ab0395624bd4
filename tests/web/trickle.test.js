// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { fragmentOf } from "../../web_client/trickle.js";

const OFFER = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
const found = (/** @type {string} */ sdpMid, /** @type {number} */ port) => ({
  candidate: `candidate:1 1 udp 1 10.0.0.1 ${port} typ host`,
  sdpMid,
});

test("a fragment names its offer, and the section of each candidate once", () => {
  assert.deepEqual(fragmentOf(OFFER, [found("0", 5), found("0", 6), found("1", 7), null]).split("\r\n"), [
    "a=ice-ufrag:abcd",
    "a=ice-pwd:secret",
    "m=audio 9 UDP/TLS/RTP/SAVPF 0",
    "a=mid:0",
    "a=candidate:1 1 udp 1 10.0.0.1 5 typ host",
    "a=candidate:1 1 udp 1 10.0.0.1 6 typ host",
    "m=audio 9 UDP/TLS/RTP/SAVPF 0",
    "a=mid:1",
    "a=candidate:1 1 udp 1 10.0.0.1 7 typ host",
    "a=end-of-candidates",
    "",
  ]);
});
