// @ts-check
/** Leads one call at a time through its steps, from the click on Connect to the end. */
import { Call } from "./call.js";
import { CallButtons } from "./call_buttons.js";
import { tell } from "./call_notices.js";
import { CallWatch } from "./call_watch.js";
import { Problem, asProblem } from "./problem.js";
import { transportSteps } from "./steps.js";

/** @typedef {import("./app.js").Parts} Parts */

export class CallPanel {
  #parts;
  #network;
  #buttons;
  #watch;
  #call = /** @type {Call | null} */ (null);
  /** The former call's end: a small server has no place for the next one before. @type {Promise<void> | undefined} */
  #left;
  #phase = /** @type {import("./call_buttons.js").Phase} */ ("idle");
  /** Raised by every beginning and every end, so that what comes late knows that it is late. */
  #turn = 0;

  /** @param {Parts} parts @param {() => Promise<RTCConfiguration>} network */
  constructor(parts, network) {
    this.#parts = parts;
    this.#network = network;
    this.#watch = new CallWatch(parts.steps, parts.readout);
    this.#buttons = new CallButtons({
      onConnect: () => void this.#begin(),
      onDisconnect: () => this.#end(),
      onMute: (isMuted) => parts.voice.mute(isMuted),
      onInterrupt: () => void this.#call?.interrupt(),
    });
    window.addEventListener("pagehide", () => this.isIdle || this.#end());
    if (!("RTCPeerConnection" in window)) {
      this.#buttons.disable();
      parts.status.fail(new Problem("error_no_webrtc"));
    }
  }

  get isIdle() {
    return this.#phase === "idle";
  }

  /** Another microphone was chosen. */
  async changeMicrophone() {
    if (this.#call) await this.#parts.voice.change(this.#call, this.#lateness());
  }

  /** A question to ask after every wait: has this call ended in the meantime? */
  #lateness() {
    const turn = this.#turn;
    return () => turn !== this.#turn;
  }

  async #begin() {
    if (!this.isIdle) return;
    this.#turn += 1;
    const isLate = this.#lateness();
    const { gallery, voice, steps, readout, status } = this.#parts;
    steps.reset();
    readout.reset();
    status.tell("status_connecting");
    this.#setPhase("connecting");
    try {
      await voice.take(isLate);
      if (isLate()) return;
      steps.set("signalling", "active");
      await this.#left;
      const network = await this.#network();
      if (isLate()) return;
      this.#call = this.#newCall(network, isLate);
      await this.#call.open(gallery.chosen?.id ?? null);
      if (!isLate()) steps.set("signalling", "done");
    } catch (error) {
      if (!isLate()) this.#end(asProblem(error));
    }
  }

  /** @param {RTCConfiguration} network @param {() => boolean} isLate */
  #newCall(network, isLate) {
    const { direction, voice, stage, readout } = this.#parts;
    const call = new Call(network, voice.microphone, {
      onOpen: () => isLate() || direction.start(call),
      onStream: (stream) => stage.play(stream, () => this.#watch.seeFirstFrame()),
      onTransport: (ice, connection) => this.#onTransport(ice, connection),
      onNotice: (notice) => isLate() || tell(this.#parts, notice, () => this.#end()),
      onRoundTrip: (roundTrip_ms) => readout.showRoundTrip(roundTrip_ms),
      onLost: (problem) => isLate() || this.#end(problem),
    });
    return call;
  }

  /** @param {RTCIceConnectionState} iceState @param {RTCPeerConnectionState} connectionState */
  #onTransport(iceState, connectionState) {
    const { steps } = this.#parts;
    const { ice, dtls } = transportSteps(iceState, connectionState, this.#phase === "live");
    steps.set("ice", ice.state, ice.problem);
    steps.set("dtls", dtls.state, dtls.problem);
    if (connectionState === "failed") this.#end(ice.problem ?? dtls.problem);
    if (connectionState === "connected" && this.#phase === "connecting") this.#onConnected();
  }

  #onConnected() {
    const { voice, status } = this.#parts;
    this.#setPhase("live");
    status.tell(voice.microphone ? "status_live" : "status_live_listening");
    if (this.#call) this.#watch.start(this.#call);
  }

  /** @param {Problem} [problem]  why, unless the person wanted it */
  #end(problem) {
    const { direction, gallery, voice, stage, steps, status } = this.#parts;
    this.#turn += 1;
    this.#watch.stop();
    direction.stop();
    this.#left = this.#call?.close();
    this.#call = null;
    voice.drop();
    stage.stop();
    stage.showStill(gallery.chosen);
    this.#setPhase("idle");
    if (problem) {
      steps.fail(problem);
      status.fail(problem);
    } else {
      steps.reset();
      status.tell("status_ended");
    }
  }

  /** @param {import("./call_buttons.js").Phase} phase */
  #setPhase(phase) {
    this.#phase = phase;
    this.#buttons.show(phase, this.#parts.voice.microphone !== null);
  }
}
