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
 * @property {() => boolean} hasMicrophone  that could be muted
 */

export class CallButtons {
  #connect = byId("connect", HTMLButtonElement);
  #disconnect = byId("disconnect", HTMLButtonElement);
  #mute = byId("mute", HTMLButtonElement);
  #interrupt = byId("interrupt", HTMLButtonElement);
  #hasMicrophone;
  #onMute;
  #phase = /** @type {Phase} */ ("idle");

  /** @param {ButtonHandlers} handlers */
  constructor({ onConnect, onDisconnect, onMute, onInterrupt, hasMicrophone }) {
    this.#hasMicrophone = hasMicrophone;
    this.#connect.addEventListener("click", onConnect);
    this.#disconnect.addEventListener("click", onDisconnect);
    this.#interrupt.addEventListener("click", onInterrupt);
    this.#onMute = onMute;
    this.#mute.addEventListener("click", () => this.pressMute());
  }

  /** Mute the microphone, or let it be heard again. */
  pressMute() {
    this.#press(!this.isMuted);
    this.#onMute(this.isMuted);
  }

  get isMuted() {
    return this.#mute.getAttribute("aria-pressed") === "true";
  }

  get phase() {
    return this.#phase;
  }

  /** @param {Phase} phase */
  show(phase) {
    this.#phase = phase;
    const hadFocus = [this.#connect, this.#disconnect].some((button) => button === document.activeElement);
    this.#connect.hidden = phase !== "idle";
    this.#disconnect.hidden = phase === "idle";
    show(this.#disconnect, phase === "connecting" ? "cancel" : "disconnect");
    this.#interrupt.disabled = phase !== "live";
    this.#mute.disabled = phase === "idle" || !this.#hasMicrophone();
    if (phase === "idle") this.#press(false);
    if (hadFocus) (phase === "idle" ? this.#connect : this.#disconnect).focus();
  }

  /** @param {boolean} isMuted */
  #press(isMuted) {
    this.#mute.setAttribute("aria-pressed", String(isMuted));
  }
}
