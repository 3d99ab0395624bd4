// @ts-check
/** The switch that lets the person's own camera drive the portrait, its picture and its state. */
import { openCamera } from "./camera.js";
import { byId } from "./dom.js";
import { closeMedia } from "./media.js";
import { Problem, asProblem, explain } from "./problem.js";
import { clear, show } from "./strings.js";

/** @typedef {import("./protocol.js").CameraState} CameraState */

/** @type {Record<CameraState, import("./strings.js").TextKey>} */
const STATES = { off: "camera_off", looking: "camera_looking", driving: "camera_driving" };

export class CameraSwitch {
  #switch = byId("camera-switch", HTMLButtonElement);
  #self = byId("camera-self", HTMLVideoElement);
  #state = byId("camera-state", HTMLElement);
  #message = byId("camera-message", HTMLElement);
  /** @type {import("./call.js").Call | null} */
  #call = null;
  /** @type {MediaStream | null} */
  #camera = null;
  /** Raised by every press and every end, so that a camera that opens late knows that it is late. */
  #turn = 0;

  constructor() {
    this.#switch.addEventListener("click", () => void (this.#isOn ? this.#turnOff() : this.#turnOn()));
    this.show("off", 0);
  }

  get #isOn() {
    return this.#switch.getAttribute("aria-checked") === "true";
  }

  /** @param {import("./call.js").Call} call */
  start(call) {
    this.#call = call;
  }

  stop() {
    this.#call = null;
    void this.#turnOff();
    this.show("off", 0);
  }

  /** What the server does with the camera. @param {CameraState} state @param {number} faces */
  show(state, faces) {
    this.#state.dataset.state = state;
    show(this.#state, STATES[state]);
    if (faces > 1) show(this.#message, "camera_several");
  }

  async #turnOn() {
    const turn = ++this.#turn;
    this.#check(true);
    clear(this.#message);
    try {
      const camera = await openCamera();
      if (turn !== this.#turn) return closeMedia(camera);
      this.#camera = camera;
      const lost = () => {
        void this.#turnOff();
        this.#fail(new Problem("error_camera_lost"));
      };
      camera.getVideoTracks()[0]?.addEventListener("ended", lost);
      this.#self.srcObject = camera;
      this.#self.hidden = false;
      await this.#call?.useCamera(camera);
    } catch (error) {
      if (turn !== this.#turn) return;
      await this.#turnOff();
      this.#fail(asProblem(error));
    }
  }

  async #turnOff() {
    this.#turn += 1;
    this.#check(false);
    this.#self.srcObject = null;
    this.#self.hidden = true;
    clear(this.#message);
    closeMedia(this.#camera);
    this.#camera = null;
    await this.#call?.useCamera(null);
  }

  /** @param {boolean} isOn */
  #check(isOn) {
    this.#switch.setAttribute("aria-checked", String(isOn));
  }

  /** @param {Problem} problem */
  #fail(problem) {
    this.#message.dataset.kind = "problem";
    explain(this.#message, problem);
  }
}
