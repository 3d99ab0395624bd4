// @ts-check
/** Rules for the page as it is served. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

const LINE_LIMIT = 150;
const folder = new URL("../../web_client/", import.meta.url);
const names = readdirSync(folder).filter((name) => /\.(js|html|css|svg)$/.test(name));
const sources = new Map(names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]));
const page = sources.get("index.html") ?? "";
const scripts = [...sources].filter(([name]) => name.endsWith(".js"));
const idsOf = (/** @type {string} */ html) => [...html.matchAll(/ id="([\w-]+)"/g)].map(([, id]) => id ?? "");
const ids = idsOf(page);
const pages = [...sources].filter(([name]) => name.endsWith(".html")).map(([, source]) => source);

test("no script outgrows its reader, and every one is checked", () => {
  for (const [name, source] of scripts) {
    assert.ok(source.split("\n").length - 1 <= LINE_LIMIT, name);
    assert.ok(source.startsWith("// @ts-check\n"), name);
  }
});

test("nothing comes from elsewhere, and nothing is inline", () => {
  for (const [name, source] of sources) {
    const addresses = source.match(/https?:\/\/[^"'\s]+/g) ?? [];
    assert.deepEqual(addresses.filter((address) => address !== "http://www.w3.org/2000/svg"), [], name);
  }
  for (const html of pages) assert.doesNotMatch(html, /\son\w+=|\sstyle=|<style|<script(?![^>]* src=)/);
  assert.match(page, /Content-Security-Policy/);
});

test("ids are unique, and whatever a script or a label looks for is there", () => {
  for (const html of pages) {
    const own = idsOf(html);
    assert.equal(new Set(own).size, own.length);
    const labelled = [...html.matchAll(/ (?:for|aria-labelledby)="([\w-]+)"/g)];
    for (const [, id] of labelled) assert.ok(own.includes(id ?? ""), id);
  }
  const all = pages.flatMap(idsOf);
  const wanted = scripts.flatMap(([, source]) => [...source.matchAll(/byId\("([\w-]+)"/g)]);
  for (const [, id] of wanted) assert.ok(all.includes(id ?? ""), id);
  assert.ok(wanted.length > 20);
});

test("what tools hold on to stays", () => {
  const stable = `avatar-list upload-form upload-file upload-consent upload-submit upload-message mic-select mic-level
    connect disconnect mute interrupt stage-video status readout-fps readout-rtt readout-mic-to-lips readout-skew
    readout-drops step-microphone step-signalling step-ice step-dtls step-first-frame`;
  for (const id of stable.split(/\s+/)) assert.ok(ids.includes(id), id);
});
