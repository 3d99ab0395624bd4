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

/** The part of the upload form in which a look is chosen. */
export class LookFields {
  #framing = byId("upload-framing", HTMLSelectElement);
  #background = byId("upload-background", HTMLSelectElement);
  #colour = byId("upload-colour", HTMLInputElement);

  constructor() {
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

  #showColour() {
    this.#colour.hidden = this.#background.value !== "colour";
  }
}
