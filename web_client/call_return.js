// @ts-check
/** Takes a call back over another connection when the one that it had breaks. */
import { Problem } from "./problem.js";
import { STEP_NAMES } from "./steps.js";
import { CLOCK, persist } from "./ticket.js";

/** A connection that stalls often recovers by itself; the server waits longer than this. */
const STALL_LIMIT_MS = 2000;

/** @typedef {import("./call.js").Call} Call */

export class CallReturn {
  #steps;
  #newCall;
  #timer = 0;
  #isUnderWay = false;

  /**
   * @param {import("./steps.js").StepList} steps
   * @param {(isLate: () => boolean) => Promise<Call>} newCall
   */
  constructor(steps, newCall) {
    this.#steps = steps;
    this.#newCall = newCall;
  }

  get isUnderWay() {
    return this.#isUnderWay;
  }

  /** Notice a break: at once when it is one for sure. @param {RTCPeerConnectionState} state @param {() => void} broken */
  watch(state, broken) {
    window.clearTimeout(this.#timer);
    if (this.#isUnderWay) return; // the next attempt follows
    if (state === "failed") broken();
    else if (state === "disconnected") this.#timer = window.setTimeout(broken, STALL_LIMIT_MS);
  }

  /** Wish for nothing any more. */
  stop() {
    window.clearTimeout(this.#timer);
    this.#isUnderWay = false;
  }

  /**
   * A connected call in place of a broken one. Throws the `Problem` that did not pass.
   *
   * @param {string} ticket
   * @param {() => boolean} isLate
   */
  async begin(ticket, isLate) {
    this.#isUnderWay = true;
    for (const name of STEP_NAMES.slice(1)) this.#steps.set(name, "pending");
    try {
      return await persist(() => this.#attempt(ticket, isLate), CLOCK);
    } finally {
      if (!isLate()) this.#isUnderWay = false;
    }
  }

  /** @param {string} ticket @param {() => boolean} isLate */
  async #attempt(ticket, isLate) {
    if (isLate()) throw new Problem("error_lost"); // cancelled in the meantime
    this.#steps.set("signalling", "active");
    const call = await this.#newCall(isLate);
    try {
      await call.open(null, ticket);
      if (!isLate()) this.#steps.set("signalling", "done");
      await call.connected();
      return call;
    } catch (error) {
      call.drop();
      throw error;
    }
  }
}
