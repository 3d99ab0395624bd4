// @ts-check
/** The portrait, large: its still picture until the first frame arrives, then the video. */
import { showPicture } from "./access.js";
import { byId } from "./dom.js";
import { clear, show, showIn } from "./strings.js";

/** @typedef {import("./server.js").Avatar} Avatar */

export class Stage {
  #figure = byId("stage", HTMLElement);
  #still = byId("stage-still", HTMLImageElement);
  #video = byId("stage-video", HTMLVideoElement);
  #name = byId("stage-name", HTMLElement);
  #speech = byId("stage-speech", HTMLElement);
  #play = byId("stage-play", HTMLButtonElement);

  constructor() {
    this.#play.addEventListener("click", () => void this.#start());
  }

  /** @param {Avatar | null} avatar */
  showStill(avatar) {
    this.#still.hidden = !avatar;
    if (!avatar) {
      show(this.#name, "stage_empty");
      return;
    }
    void showPicture(this.#still, avatar.picture);
    showIn(this.#still, "data-text-alt", "stage_still", { name: avatar.name });
    clear(this.#name);
    this.#name.textContent = avatar.name;
    this.#figure.style.setProperty("--ratio", String(avatar.width / avatar.height || 1));
  }

  /**
   * Play a stream; `onFirstFrame` is called once, when its first frame is there to see.
   *
   * @param {MediaStream} stream
   * @param {() => void} onFirstFrame
   */
  play(stream, onFirstFrame) {
    if (this.#video.srcObject === stream) return; // both tracks announce the same stream
    this.#video.srcObject = stream;
    const reveal = () => {
      if (this.#video.srcObject !== stream) return; // stopped in the meantime
      this.#figure.dataset.live = "true";
      onFirstFrame();
    };
    if (Reflect.has(this.#video, "requestVideoFrameCallback")) this.#video.requestVideoFrameCallback(reveal);
    else this.#video.addEventListener("loadeddata", reveal, { once: true });
    void this.#start();
  }

  stop() {
    this.#video.srcObject = null;
    this.#play.hidden = true;
    this.#figure.dataset.live = "false";
    this.#figure.dataset.speaking = "false";
    clear(this.#speech);
  }

  /** @param {boolean} isSpeaking */
  showSpeech(isSpeaking) {
    this.#figure.dataset.speaking = String(isSpeaking);
    show(this.#speech, isSpeaking ? "speaking" : "listening");
  }

  /** Some browsers play sound only after one more click, on the very thing that plays. */
  async #start() {
    this.#play.hidden = true;
    try {
      await this.#video.play();
    } catch (error) {
      this.#play.hidden = !(error instanceof DOMException && error.name === "NotAllowedError");
    }
  }
}
