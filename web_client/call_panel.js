// @ts-check
/** Leads one call at a time through its steps, from the click on Connect to the end. */
import { CallButtons } from "./call_buttons.js";
import { makeCall, showEnd, showTransport } from "./call_notices.js";
import { CallReturn } from "./call_return.js";
import { CallWatch } from "./call_watch.js";
import { Problem, asProblem } from "./problem.js";
import { GRACE_S, keepTicket } from "./ticket.js";

/** @typedef {import("./app.js").Parts} Parts */
/** @typedef {import("./call.js").Call} Call */

export class CallPanel {
  #parts;
  #network;
  #buttons;
  #watch;
  #call = /** @type {Call | null} */ (null);
  #left = /** @type {Promise<void> | undefined} */ (undefined); // a small server has no place for the next one before
  /** Raised by every beginning and every end, so that what comes late knows that it is late. */
  #turn = 0;
  #return;

  /** @param {Parts} parts @param {() => Promise<RTCConfiguration>} network */
  constructor(parts, network) {
    this.#parts = parts;
    this.#network = network;
    this.#watch = new CallWatch(parts.steps, parts.readout);
    this.#return = new CallReturn(parts.steps, async (isLate) => this.#newCall(await network(), isLate));
    this.#buttons = new CallButtons({
      onConnect: () => void this.begin(null),
      onDisconnect: () => this.#end(),
      onMute: (isMuted) => parts.voice.mute(isMuted),
      onInterrupt: () => void this.#call?.interrupt(),
      hasMicrophone: () => parts.voice.microphone !== null,
    });
    window.addEventListener("pagehide", () => this.isIdle || this.#leave());
  }

  get isIdle() {
    return this.#buttons.phase === "idle";
  }

  /** Another microphone was chosen. */
  async changeMicrophone() {
    if (this.#call) await this.#parts.voice.change(this.#call, this.#lateness());
  }

  /** The page goes away. It may be loaded again: then the call goes on, else the server ends it soon. */
  #leave() {
    if (!this.#call?.ticket) return this.#end();
    keepTicket({ ticket: this.#call.ticket, isMuted: this.#buttons.isMuted }, Date.now());
    void this.#call.close(GRACE_S);
  }

  /** A question to ask after every wait: has this call ended in the meantime? */
  #lateness() {
    const turn = this.#turn;
    return () => turn !== this.#turn;
  }

  /** @param {import("./ticket.js").Kept | null} kept  of a call to go on with */
  async begin(kept) {
    if (!this.isIdle) return;
    if (kept?.isMuted) this.#buttons.pressMute();
    this.#turn += 1;
    const isLate = this.#lateness();
    const { gallery, voice, steps, status } = this.#parts;
    steps.reset();
    this.#parts.readout.reset();
    status.tell("status_connecting");
    this.#buttons.show("connecting");
    try {
      await voice.take(isLate);
      if (isLate()) return;
      steps.set("signalling", "active");
      await this.#left;
      const network = await this.#network();
      if (isLate()) return;
      this.#call = this.#newCall(network, isLate);
      await this.#call.open(gallery.chosen?.id ?? null, kept?.ticket);
      if (!isLate()) steps.set("signalling", "done");
    } catch (error) {
      if (!isLate()) this.#end(asProblem(error));
    }
  }

  /** @param {RTCConfiguration} network @param {() => boolean} isLate */
  #newCall(network, isLate) {
    return makeCall(this.#parts, network, {
      isLate,
      onFirstFrame: () => this.#watch.seeFirstFrame(),
      onTransport: (ice, connection) => this.#onTransport(ice, connection),
      onEnd: () => this.#end(),
      onLost: (problem) => void this.#comeBack(problem),
    });
  }

  /** The connection broke: take the session back over another one. @param {Problem} [problem] */
  async #comeBack(problem) {
    const former = this.#call;
    if (this.#return.isUnderWay) return;
    if (this.#buttons.phase !== "live" || !former?.ticket) return this.#end(problem);
    this.#turn += 1;
    const isLate = this.#lateness();
    this.#watch.stop();
    this.#parts.direction.stop();
    this.#buttons.show("connecting");
    this.#parts.status.tell("status_reconnecting");
    try {
      const call = await this.#return.begin(former.ticket, isLate);
      if (isLate()) return call.drop();
      this.#call = call;
      this.#onConnected("status_reconnected");
    } catch (error) {
      if (!isLate()) this.#end(asProblem(error));
    } finally {
      former.drop(); // not before: the server takes a peer that hangs up for one that wants to end
    }
  }

  /** @param {RTCIceConnectionState} iceState @param {RTCPeerConnectionState} connectionState */
  #onTransport(iceState, connectionState) {
    const { phase } = this.#buttons;
    const problem = showTransport(this.#parts.steps, iceState, connectionState, phase === "live");
    const isLate = this.#lateness();
    this.#return.watch(connectionState, () => isLate() || void this.#comeBack(problem));
    if (connectionState === "connected" && phase === "connecting" && !this.#return.isUnderWay) this.#onConnected();
  }

  /** @param {import("./strings.js").TextKey} [news] */
  #onConnected(news) {
    const { voice, status } = this.#parts;
    this.#buttons.show("live");
    status.tell(news ?? (voice.microphone ? "status_live" : "status_live_listening"));
    if (this.#call) this.#watch.start(this.#call);
  }

  /** @param {Problem} [problem]  why, unless the person wanted it */
  #end(problem) {
    this.#turn += 1;
    this.#return.stop();
    this.#watch.stop();
    this.#left = this.#call?.close();
    this.#call = null;
    this.#parts.voice.drop();
    this.#buttons.show("idle");
    showEnd(this.#parts, problem);
  }
}
