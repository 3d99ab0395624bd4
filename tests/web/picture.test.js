// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { FILE_LIMIT_MB, checkFile, checkSize, nameFrom } from "../../web_client/picture.js";

const MB = 1024 * 1024;
/** @param {string} key */
const problem = (key) => (/** @type {any} */ error) => error.key === key;

test("the pictures that the server reads are accepted", () => {
  for (const type of ["image/jpeg", "image/png", "image/webp", "image/bmp"]) {
    checkFile({ name: "a", type, size: FILE_LIMIT_MB * MB });
  }
  checkFile({ name: "A.JPG", type: "", size: 10 }); // some systems do not tell the type
});

test("other files are refused by their kind, large ones by their size", () => {
  for (const [name, type] of [["a.gif", "image/gif"], ["a.png", "text/plain"], ["notes", ""]]) {
    const file = { name: name ?? "", type: type ?? "", size: 10 };
    assert.throws(() => checkFile(file), problem("error_file_type"), name);
  }
  const large = { name: "a.png", type: "image/png", size: FILE_LIMIT_MB * MB + 1 };
  assert.throws(() => checkFile(large), problem("error_file_size"));
});

test("pictures too small to animate or too large to hold are refused", () => {
  checkSize({ width: 160, height: 9000 });
  assert.throws(() => checkSize({ width: 159, height: 9000 }), problem("error_file_small"));
  assert.throws(() => checkSize({ width: 20000, height: 20000 }), problem("error_file_huge"));
});

test("the file's name is a name to begin with", () => {
  assert.equal(nameFrom("grace_hopper-1984.final.jpeg"), "grace hopper 1984.final");
  assert.equal(nameFrom(".png"), "");
});
