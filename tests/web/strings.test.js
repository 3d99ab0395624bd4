// @ts-check
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { STRINGS, chooseLanguage, text } from "../../web_client/strings.js";

const folder = new URL("../../web_client/", import.meta.url);
const read = (/** @type {string} */ name) => readFileSync(new URL(name, folder), "utf8");
const page = read("index.html");
const sources = readdirSync(folder)
  .filter((name) => name.endsWith(".js") && !/^strings\.e[ns]\./.test(name))
  .map(read)
  .join("\n");
const bracesOf = (/** @type {string} */ template) => (template.match(/\{\w+\}/g) ?? []).sort();

test("both languages have the same texts, with the same values in them", () => {
  const { en, es } = STRINGS;
  assert.deepEqual(Object.keys(es), Object.keys(en));
  for (const [key, template] of Object.entries(en)) {
    const translated = /** @type {Record<string, string>} */ (es)[key] ?? "";
    assert.notEqual(translated.trim(), "", key);
    assert.deepEqual(bracesOf(translated), bracesOf(template), key);
  }
});

test("every text that the page names exists", () => {
  const named = [...page.matchAll(/data-text(?:-\w+)?="(\w+)"/g)].map(([, key]) => key ?? "");
  assert.ok(named.length > 30);
  assert.deepEqual(named.filter((key) => !Object.hasOwn(STRINGS.en, key)), []);
});

test("no text is left over", () => {
  const isUsed = (/** @type {string} */ key) =>
    key.startsWith("state_") || page.includes(`"${key}"`) || sources.includes(`"${key}"`);
  assert.deepEqual(Object.keys(STRINGS.en).filter((key) => !isUsed(key)), []);
});

test("what stands in the page before the script runs is the English text", () => {
  const pairs = [...page.matchAll(/data-text="(\w+)"[^>]*>([^<]+)</g)];
  for (const [, key, shown] of pairs) {
    assert.equal(shown, text(/** @type {any} */ (key), {}, "en"), key);
  }
});

test("the address comes first, then the browser's preferences, then English", () => {
  assert.equal(chooseLanguage("?lang=es", ["en-GB"]), "es");
  assert.equal(chooseLanguage("", ["es-MX", "en"]), "es");
  assert.equal(chooseLanguage("", ["de-DE", "es", "en"]), "es");
  assert.equal(chooseLanguage("?lang=xx", ["fr"]), "en");
  assert.equal(chooseLanguage("?lang=constructor", []), "en");
});

test("values fill the braces, numbers as the language writes them", () => {
  assert.equal(text("portrait_delete", { name: "Ada {x}" }, "en"), "Delete Ada {x}");
  assert.equal(text("status_interrupted", { seconds: 3.5 }, "es"), "Interrumpido a los 3,5 s.");
  assert.equal(text("portrait_delete", {}, "en"), "Delete {name}");
});
