// @ts-check
/** The list of connection steps: what each is doing, and why one failed. */
import { byId } from "./dom.js";
import { Problem, explain } from "./problem.js";
import { clear, show } from "./strings.js";

/** @typedef {"microphone" | "signalling" | "ice" | "dtls" | "first-frame"} StepName */
/** @typedef {"pending" | "active" | "done" | "failed"} StepState */
/** @typedef {{state: StepState, problem?: Problem}} Step */

/** @type {StepName[]} */
export const STEP_NAMES = ["microphone", "signalling", "ice", "dtls", "first-frame"];

/**
 * What the two transport steps are doing, read from the states that a peer connection reports.
 *
 * @param {RTCIceConnectionState} ice
 * @param {RTCPeerConnectionState} connection  covers ICE and DTLS together
 * @param {boolean} wasLive  it has been connected before
 * @returns {{ice: Step, dtls: Step}}
 */
export function transportSteps(ice, connection, wasLive) {
  const hasPath = ice === "connected" || ice === "completed";
  if (connection === "failed" && wasLive) return { ice: failed("error_lost"), dtls: { state: "done" } };
  if (connection === "failed") {
    return hasPath
      ? { ice: { state: "done" }, dtls: failed("error_dtls") }
      : { ice: failed("error_ice"), dtls: { state: "pending" } };
  }
  if (connection === "connected" && hasPath) return { ice: { state: "done" }, dtls: { state: "done" } };
  if (hasPath) return { ice: { state: "done" }, dtls: { state: "active" } };
  if (ice === "failed") return { ice: failed("error_ice"), dtls: { state: "pending" } };
  if (ice === "disconnected") {
    return { ice: { state: "active", problem: new Problem("note_recovering") }, dtls: { state: "done" } };
  }
  return { ice: { state: "active" }, dtls: { state: "pending" } };
}

/** @param {import("./strings.js").TextKey} key @returns {Step} */
const failed = (key) => ({ state: "failed", problem: new Problem(key) });

/** The list on the page. */
export class StepList {
  /** All steps wait again. */
  reset() {
    for (const name of STEP_NAMES) this.set(name, "pending");
  }

  /**
   * @param {StepName} name
   * @param {StepState} state
   * @param {Problem} [problem]  the explanation that goes with it
   */
  set(name, state, problem) {
    const item = byId(`step-${name}`, HTMLLIElement);
    const [spoken, note] = [item.querySelector(".state"), item.querySelector(".note")];
    if (!spoken || !note) throw new Error(`step ${name} lacks its state or note`);
    item.dataset.state = state;
    show(spoken, `state_${state}`);
    if (problem) explain(note, problem);
    else clear(note);
  }

  /** Whatever is in progress has failed. @param {Problem} problem */
  fail(problem) {
    for (const name of STEP_NAMES) {
      if (this.stateOf(name) === "active") this.set(name, "failed", problem);
    }
  }

  /** @param {StepName} name */
  stateOf(name) {
    return byId(`step-${name}`, HTMLLIElement).dataset.state;
  }
}
