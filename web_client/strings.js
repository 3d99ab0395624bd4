// @ts-check
/** The page's texts: which language, and how a text gets into an element and stays translated. */
import { ENGLISH } from "./strings.en.js";
import { SPANISH } from "./strings.es.js";

/** @typedef {import("./strings.en.js").TextKey} TextKey */
/** @typedef {keyof typeof STRINGS} Language */
/** @typedef {Record<string, string | number>} Values  what fills the braces of a text */

export const STRINGS = { en: ENGLISH, es: SPANISH };

/** Attributes that hold the key of an attribute's text, and the attribute each one fills. */
const TRANSLATED_ATTRIBUTES = /** @type {const} */ ([
  ["data-text-label", "aria-label"],
  ["data-text-alt", "alt"],
]);

/** @type {Language} */
let current = "en";

/** @param {string} name @returns {name is Language} */
const isLanguage = (name) => Object.hasOwn(STRINGS, name);

/** @param {string} name @returns {name is TextKey} */
const isKey = (name) => Object.hasOwn(ENGLISH, name);

/**
 * What the address asks for comes first, then what the browser prefers, then English.
 *
 * @param {string} search  the query of the page's address
 * @param {readonly string[]} preferred  as in `navigator.languages`
 * @returns {Language}
 */
export function chooseLanguage(search, preferred) {
  const asked = new URLSearchParams(search).get("lang") ?? "";
  const names = [asked, ...preferred].map((name) => name.toLowerCase().split("-")[0] ?? "");
  return names.find(isLanguage) ?? "en";
}

/**
 * @param {TextKey} key
 * @param {Values} [values]
 * @param {Language} [language]
 */
export function text(key, values = {}, language = current) {
  return STRINGS[language][key].replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? value.toLocaleString(language) : value;
  });
}

/** Remember in the page itself which text stands here, so that a change of language finds it.
 *
 * @param {Element} element
 * @param {TextKey} key
 * @param {Values} [values]
 */
export function show(element, key, values = {}) {
  element.setAttribute("data-text", key);
  element.setAttribute("data-values", JSON.stringify(values));
  element.textContent = text(key, values);
}

/** The same for an attribute.
 *
 * @param {Element} element
 * @param {"data-text-label" | "data-text-alt"} attribute
 * @param {TextKey} key
 * @param {Values} [values]
 */
export function showIn(element, attribute, key, values = {}) {
  element.setAttribute(attribute, key);
  element.setAttribute("data-values", JSON.stringify(values));
  translateAttributes(element);
}

/** Empty an element, and forget its text. @param {Element} element */
export function clear(element) {
  element.removeAttribute("data-text");
  element.textContent = "";
}

/** Put the whole page into a language. @param {Document} page @param {Language} language */
export function translate(page, language) {
  current = language;
  page.documentElement.lang = language;
  page.title = text("title");
  for (const element of page.querySelectorAll("[data-text]")) {
    const key = element.getAttribute("data-text") ?? "";
    if (isKey(key)) element.textContent = text(key, valuesOf(element));
  }
  for (const element of page.querySelectorAll("[data-text-label], [data-text-alt]")) {
    translateAttributes(element);
  }
}

/** @param {Element} element */
function translateAttributes(element) {
  for (const [source, target] of TRANSLATED_ATTRIBUTES) {
    const key = element.getAttribute(source) ?? "";
    if (isKey(key)) element.setAttribute(target, text(key, valuesOf(element)));
  }
}

/** @param {Element} element @returns {Values} */
function valuesOf(element) {
  return JSON.parse(element.getAttribute("data-values") ?? "{}");
}
