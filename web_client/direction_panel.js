// @ts-check
/** The card that directs the portrait: presets, emotions, gestures, sliders, and the camera. */
import { CameraSwitch } from "./camera_switch.js";
import { NEUTRAL, Outbox, PRESETS, changeOf, fromNeutral, presetOf, valueOf } from "./direction.js";
import { choice, limit, option, showValue } from "./direction_parts.js";
import { byId } from "./dom.js";
import { clear } from "./strings.js";

/** @typedef {import("./protocol.js").Direction} Direction */
/** @typedef {import("./direction.js").Changes} Changes */

const SEND_EVERY_MS = 40; // a frame of the portrait

export class DirectionPanel {
  #fields = byId("direction-fields", HTMLFieldSetElement);
  #note = byId("direction-note", HTMLElement);
  #message = byId("direction-message", HTMLElement);
  #preset = byId("direction-preset", HTMLSelectElement);
  #camera = new CameraSwitch();
  /** @type {HTMLInputElement[]} */
  #sliders = [...this.#fields.querySelectorAll("input")];
  /** @type {HTMLButtonElement[]} */
  #emotions = [];
  /** @type {import("./call.js").Call | null} */
  #call = null;
  #outbox = new Outbox(SEND_EVERY_MS, (changes) => this.#call?.direct(changes));

  constructor() {
    this.#listPresets();
    for (const slider of this.#sliders) slider.addEventListener("input", () => this.#slide(slider));
    this.#preset.addEventListener("change", () => this.#usePreset(this.#preset.value));
    byId("direction-reset", HTMLButtonElement).addEventListener("click", () => this.#usePreset("natural"));
    this.#showDirection(NEUTRAL);
  }

  /** Offer what the server knows. @param {import("./direction_parts.js").Directions} directions */
  offer({ emotions, gestures, limits }) {
    for (const slider of this.#sliders) limit(slider, limits.pose[slider.name] ?? limits.strength);
    this.#emotions = emotions.map((name) => choice(name, () => this.#change({ emotion: name })));
    byId("emotions", HTMLElement).replaceChildren(...this.#emotions);
    const buttons = gestures.map(({ name }) => choice(name, () => this.#call?.gesture(name)));
    byId("gestures", HTMLElement).replaceChildren(...buttons);
    this.#showDirection(NEUTRAL);
  }

  /** A call is live. @param {import("./call.js").Call} call */
  start(call) {
    this.#call = call;
    this.#fields.disabled = false;
    this.#note.hidden = true;
    this.#camera.start(call);
  }

  /** It ended; the next portrait begins neutral. */
  stop() {
    this.#call = null;
    this.#outbox.clear();
    this.#camera.stop();
    this.#fields.disabled = true;
    this.#note.hidden = false;
    clear(this.#message);
    this.#showDirection(NEUTRAL);
  }

  /** @param {import("./control.js").Notice} notice */
  hear(notice) {
    if (notice.type === "camera") this.#camera.show(notice.state, notice.faces);
    if (notice.type === "refused") this.#tell("problem", notice.message);
    if (notice.type === "directed") {
      this.#tell("note", notice.notes.join(" "));
      if (!this.#outbox.isBusy) this.#showDirection(notice.direction);
    }
  }

  /** The server's own words, in English. @param {"note" | "problem"} kind @param {string} words */
  #tell(kind, words) {
    this.#message.dataset.kind = kind;
    this.#message.lang = "en";
    this.#message.textContent = words;
  }

  #listPresets() {
    this.#preset.append(option("", "preset_own"));
    for (const [name, { key }] of Object.entries(PRESETS)) this.#preset.append(option(name, key));
  }

  /** @param {HTMLInputElement} slider */
  #slide(slider) {
    showValue(slider);
    this.#change(changeOf(slider.name, Number(slider.value)));
  }

  /** @param {string} name */
  #usePreset(name) {
    const preset = PRESETS[name];
    if (!preset) return;
    const direction = fromNeutral(preset.changes);
    this.#showDirection(direction);
    this.#outbox.add(direction);
  }

  /** @param {Changes} changes */
  #change(changes) {
    this.#preset.value = "";
    if (changes.emotion !== undefined) this.#press(changes.emotion);
    this.#outbox.add(changes);
  }

  /** @param {Direction} direction */
  #showDirection(direction) {
    this.#preset.value = presetOf(direction);
    this.#press(direction.emotion);
    for (const slider of this.#sliders) {
      slider.value = String(valueOf(direction, slider.name));
      showValue(slider);
    }
  }

  /** @param {string} emotion */
  #press(emotion) {
    for (const button of this.#emotions) button.setAttribute("aria-pressed", String(button.value === emotion));
  }
}
