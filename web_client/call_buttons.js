// @ts-check
/** The four buttons of a call, and which of them make sense at the moment. */
import { byId } from "./dom.js";
import { show } from "./strings.js";

/** @typedef {"idle" | "connecting" | "live"} Phase */

/**
 * @typedef {object} ButtonHandlers
 * @property {() => void} onConnect
 * @property {() => void} onDisconnect
 * @property {(isMuted: boolean) => void} onMute
 * @property {() => void} onInterrupt
 */

export class CallButtons {
  #connect = byId("connect", HTMLButtonElement);
  #disconnect = byId("disconnect", HTMLButtonElement);
  #mute = byId("mute", HTMLButtonElement);
  #interrupt = byId("interrupt", HTMLButtonElement);

  /** @param {ButtonHandlers} handlers */
  constructor({ onConnect, onDisconnect, onMute, onInterrupt }) {
    this.#connect.addEventListener("click", onConnect);
    this.#disconnect.addEventListener("click", onDisconnect);
    this.#interrupt.addEventListener("click", onInterrupt);
    this.#mute.addEventListener("click", () => {
      this.#press(!this.isMuted);
      onMute(this.isMuted);
    });
  }

  get isMuted() {
    return this.#mute.getAttribute("aria-pressed") === "true";
  }

  /** @param {Phase} phase @param {boolean} hasMicrophone */
  show(phase, hasMicrophone) {
    const hadFocus = [this.#connect, this.#disconnect].some((button) => button === document.activeElement);
    this.#connect.hidden = phase !== "idle";
    this.#disconnect.hidden = phase === "idle";
    show(this.#disconnect, phase === "connecting" ? "cancel" : "disconnect");
    this.#interrupt.disabled = phase !== "live";
    this.#mute.disabled = phase === "idle" || !hasMicrophone;
    if (phase === "idle") this.#press(false);
    if (hadFocus) (phase === "idle" ? this.#connect : this.#disconnect).focus();
  }

  /** Nobody can call from here. */
  disable() {
    this.#connect.disabled = true;
  }

  /** @param {boolean} isMuted */
  #press(isMuted) {
    this.#mute.setAttribute("aria-pressed", String(isMuted));
  }
}
