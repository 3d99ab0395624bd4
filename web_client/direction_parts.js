// @ts-check
/** The small parts of the card that directs the portrait. */
import { NAMES, worded } from "./direction.js";
import { make } from "./dom.js";
import { request } from "./server.js";
import { show } from "./strings.js";

/** @typedef {{pose: Record<string, [number, number]>, strength: [number, number]}} Limits */
/** @typedef {{emotions: string[], gestures: {name: string, length_s: number}[], limits: Limits}} Directions */

/** What the server can be asked for. @returns {Promise<Directions>} */
export const getDirections = async () => (await request("/v1/directions")).json();

/** A button for an emotion or a gesture of the server's table. @param {string} name @param {() => void} onClick */
export function choice(name, onClick) {
  const button = make("button", "choice");
  button.type = "button";
  button.value = name;
  const key = NAMES[name];
  if (key) show(button, key);
  else button.textContent = name.replaceAll("_", " ");
  button.addEventListener("click", onClick);
  return button;
}

/** @param {string} name @param {import("./strings.js").TextKey} key */
export function option(name, key) {
  const element = make("option", "");
  element.value = name;
  show(element, key);
  return element;
}

/** @param {HTMLInputElement} slider @param {[number, number]} limits */
export function limit(slider, [low, high]) {
  slider.min = String(low);
  slider.max = String(high);
}

/** Say beside a slider, and to screen readers, where it stands. @param {HTMLInputElement} slider */
export function showValue(slider) {
  const words = worded(slider.name, Number(slider.value));
  slider.setAttribute("aria-valuetext", words);
  const place = slider.nextElementSibling;
  if (place instanceof HTMLOutputElement) place.textContent = words;
}

/** How the portrait acts now. @param {string} path @returns {Promise<import("./protocol.js").Direction>} */
export const getDirection = async (path) => (await (await request(`${path}/direction`)).json()).direction;
