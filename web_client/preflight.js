// @ts-check
/** The page that checks a connection leg by leg, and says which one fails. */
import { CHECKS } from "./preflight_checks.js";
import { byId, make } from "./dom.js";
import { asProblem } from "./problem.js";
import { text } from "./strings.js";

/** @typedef {import("./preflight_checks.js").Finding} Finding */

const WORDS = { pending: "waiting", active: "checking", done: "works", failed: "fails", skipped: "not needed" };

/** @param {string} name @param {string} title */
function addRow(name, title) {
  const label = make("span", "");
  label.textContent = title;
  const row = make("li", "", label, make("span", "state"), make("p", "note"));
  row.id = `check-${name}`;
  byId("checks", HTMLElement).append(row);
}

/** @param {string} name @param {keyof typeof WORDS} state @param {string} words */
function show(name, state, words) {
  const row = byId(`check-${name}`, HTMLElement);
  row.dataset.state = state === "skipped" ? "pending" : state;
  row.dataset.result = state;
  const [label, note] = [row.querySelector(".state"), row.querySelector(".note")];
  if (label) label.textContent = WORDS[state];
  if (note) note.textContent = words;
}

/** @param {unknown} error @returns {Finding} */
function failureOf(error) {
  const { key, values, detail } = asProblem(error);
  return { state: "failed", words: [text(key, values), detail].filter(Boolean).join(" ") };
}

async function run() {
  const start = byId("start", HTMLButtonElement);
  const verdict = byId("verdict", HTMLElement);
  start.disabled = true;
  verdict.textContent = "Checking…";
  verdict.dataset.kind = "note";
  /** @type {import("./preflight_checks.js").Found} */
  const found = { network: {}, microphone: null };
  /** @type {string[]} */
  const failures = [];
  for (const { name } of CHECKS) show(name, "pending", "");
  for (const { name, title, check } of CHECKS) {
    show(name, "active", "");
    const { state, words } = await check(found).catch(failureOf);
    show(name, state, words);
    if (state === "failed") failures.push(`${title}: ${words}`);
  }
  for (const track of found.microphone?.getTracks() ?? []) track.stop();
  verdict.textContent = failures[0] ?? "Everything works: you can call.";
  verdict.dataset.kind = failures.length ? "problem" : "note";
  verdict.dataset.result = failures.length ? "failed" : "done";
  start.disabled = false;
}

for (const { name, title } of CHECKS) {
  addRow(name, title);
  show(name, "pending", "");
}
byId("start", HTMLButtonElement).addEventListener("click", () => void run());
