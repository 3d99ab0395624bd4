// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { problemOf } from "../../web_client/server.js";

const body = (/** @type {string} */ code) => JSON.stringify({ error: { code, message: "what, and why" } });

test("the server's code decides what is explained, and its words go along", () => {
  const problem = problemOf(422, body("no_face"), null);
  assert.equal(problem.key, "error_no_face");
  assert.equal(problem.detail, "what, and why");
});

test("without a known code the status decides", () => {
  assert.equal(problemOf(413, body("new_code"), null).key, "error_too_large");
  assert.equal(problemOf(415, "", null).key, "error_not_a_picture");
  assert.equal(problemOf(400, body("bad_name"), null).key, "error_server");
});

test("a full server says when to come back", () => {
  assert.deepEqual(problemOf(503, body("server_full"), "7").values, { status: "503", seconds: 7 });
  assert.equal(problemOf(503, body("server_full"), "Wed, 21 Oct 2026 07:28:00 GMT").values.seconds, 5);
  assert.equal(problemOf(503, body("not_ready"), "5").key, "error_not_ready");
});

test("a body that is not ours does not hide the status", () => {
  for (const text of ["", "<h1>Bad gateway</h1>", "null", "[]", '{"detail": "x"}', '{"error": null}']) {
    const problem = problemOf(502, text, null);
    assert.deepEqual([problem.key, problem.values.status, problem.detail], ["error_server", "502", ""], text);
  }
});
