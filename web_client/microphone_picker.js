// @ts-check
/** The list of microphones, and the level meter under it. */
import { byId, make } from "./dom.js";
import { LevelMeter } from "./level.js";
import { listMicrophones, watchMicrophones } from "./microphone.js";
import { clear, show } from "./strings.js";

/** The choice to use none. No device has this id. */
const NONE = "none";

export class MicrophonePicker {
  #select = byId("mic-select", HTMLSelectElement);
  #meter = byId("mic-level", HTMLMeterElement);
  #note = byId("mic-note", HTMLElement);
  #level = new LevelMeter((level) => {
    this.#meter.value = level;
  });

  /** @param {() => void} onChange  the person chose another microphone */
  constructor(onChange) {
    this.#select.addEventListener("change", onChange);
    watchMicrophones(() => void this.refresh());
  }

  get isNone() {
    return this.#select.value === NONE;
  }

  /** "" for the default one. */
  get deviceId() {
    return this.isNone ? "" : this.#select.value;
  }

  /** List what there is now, and keep the choice if it is still there. */
  async refresh() {
    const chosen = this.#select.value;
    const options = [option("", "microphone_default")];
    for (const [index, { id, name }] of (await listMicrophones()).entries()) {
      options.push(name ? new Option(name, id) : option(id, "microphone_unnamed", index + 1));
    }
    options.push(option(NONE, "microphone_none"));
    this.#select.replaceChildren(...options);
    this.#select.value = options.some(({ value }) => value === chosen) ? chosen : "";
  }

  /** @param {MediaStream} microphone */
  listenTo(microphone) {
    void this.#level.start(microphone);
  }

  stop() {
    this.#level.stop();
    clear(this.#note);
  }

  /** Say that a choice waits for the next call. */
  noteNextCall() {
    show(this.#note, "microphone_next_call");
  }
}

/**
 * @param {string} value
 * @param {import("./strings.js").TextKey} key
 * @param {number} [number]
 */
function option(value, key, number = 0) {
  const element = make("option", "");
  element.value = value;
  show(element, key, { number });
  return element;
}
