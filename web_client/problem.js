// @ts-check
/** What went wrong, in words for the person who uses the page. */
import { make } from "./dom.js";
import { clear, show } from "./strings.js";

/** @typedef {import("./strings.js").TextKey} TextKey */
/** @typedef {import("./strings.js").Values} Values */

/** A failure that the page can explain. */
export class Problem extends Error {
  /**
   * @param {TextKey} key  the explanation
   * @param {Values} [values]
   * @param {string} [detail]  the server's or the browser's own words, in English
   */
  constructor(key, values = {}, detail = "") {
    super(detail || key);
    this.name = "Problem";
    this.key = key;
    this.values = values;
    this.detail = detail;
  }
}

/** @param {unknown} error @returns {Problem} */
export function asProblem(error) {
  return error instanceof Problem ? error : new Problem("error_browser", {}, String(error));
}

/** Show the explanation, and the detail in small print. @param {Element} place @param {Problem} problem */
export function explain(place, problem) {
  clear(place);
  const explanation = make("span", "explanation");
  show(explanation, problem.key, problem.values);
  place.append(explanation);
  if (!problem.detail) return;
  const detail = make("small", "detail");
  detail.lang = "en";
  detail.textContent = problem.detail;
  place.append(" ", detail);
}
