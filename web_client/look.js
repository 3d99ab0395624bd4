// @ts-check
/** How a portrait is shown: its framing and what lies behind the person. */
import { byId } from "./dom.js";

/** @typedef {import("./problem.js").TextKey} TextKey */
/** @typedef {{framing: string, background: string}} Look */

const CHROMA = "#00ff00";

/** What sets a look apart from the plain one, in texts of the page. @param {Look} look @returns {TextKey[]} */
export function traitsOf({ framing, background }) {
  /** @type {TextKey[]} */
  const traits = framing === "full" ? ["look_full"] : [];
  if (background === "blur") traits.push("look_blur");
  else if (background === "picture") traits.push("look_picture");
  else if (background === CHROMA) traits.push("look_chroma");
  else if (background.startsWith("#")) traits.push("look_colour");
  return traits;
}

/** The part of a form in which a look is chosen. */
export class LookFields {
  #framing;
  #background;
  #colour;

  /** @param {string} form  which the ids of its fields begin with */
  constructor(form) {
    this.#framing = byId(`${form}-framing`, HTMLSelectElement);
    this.#background = byId(`${form}-background`, HTMLSelectElement);
    this.#colour = byId(`${form}-colour`, HTMLInputElement);
    this.#background.addEventListener("change", () => this.#showColour());
    this.#framing.form?.addEventListener("reset", () => window.setTimeout(() => this.#showColour()));
  }

  /** @returns {Look} */
  get look() {
    const background = this.#background.value;
    return {
      framing: this.#framing.value,
      background: background === "colour" ? this.#colour.value : background,
    };
  }

  set look({ framing, background }) {
    const choice = choiceOf(background);
    this.#framing.value = framing;
    this.#background.value = choice;
    if (choice === "colour") this.#colour.value = background;
    this.#showColour();
  }

  #showColour() {
    this.#colour.hidden = this.#background.value !== "colour";
  }
}

/** What is chosen in a form for a background. @param {string} background */
export function choiceOf(background) {
  if (background === CHROMA) return "chroma";
  return background.startsWith("#") ? "colour" : background;
}
