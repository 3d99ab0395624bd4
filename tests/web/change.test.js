// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { changesOf } from "../../web_client/change.js";
import { choiceOf } from "../../web_client/look.js";

const avatar = {
  id: "a", name: "Ada", width: 512, height: 512, picture: "/a", builtin: false, framing: "crop", background: "#00ff00",
};
const same = { name: "Ada", framing: "crop", background: "chroma", size: "" };

test("a form that was left alone changes nothing", () => {
  assert.deepEqual(changesOf(avatar, same), {});
  assert.deepEqual(changesOf({ ...avatar, background: "#0000ff" }, { ...same, background: "#0000ff" }), {});
  assert.deepEqual(changesOf({ ...avatar, background: "picture" }, { ...same, background: "picture" }), {});
});

test("only what differs is sent", () => {
  const wishes = { name: "Bea", framing: "full", background: "blur", size: "default" };
  assert.deepEqual(changesOf(avatar, wishes), wishes);
  assert.deepEqual(changesOf(avatar, { ...same, name: "" }), {});
});

test("a background is found again in the form", () => {
  const found = ["keep", "blur", "picture", "#00ff00", "#123456"].map(choiceOf);
  assert.deepEqual(found, ["keep", "blur", "picture", "chroma", "colour"]);
});
