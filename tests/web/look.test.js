// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { traitsOf } from "../../web_client/look.js";

test("a plain look has nothing to tell", () => {
  assert.deepEqual(traitsOf({ framing: "crop", background: "keep" }), []);
});

test("what sets a look apart is told, framing first", () => {
  const told = ["blur", "picture", "#00ff00", "#0000ff"].map((background) =>
    traitsOf({ framing: "full", background }),
  );
  assert.deepEqual(told, [
    ["look_full", "look_blur"],
    ["look_full", "look_picture"],
    ["look_full", "look_chroma"],
    ["look_full", "look_colour"],
  ]);
});
