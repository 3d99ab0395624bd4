// @ts-check
/** What happens in a call, put where it belongs on the page. */
import { Call } from "./call.js";
import { getDirection } from "./direction_parts.js";
import { transportSteps } from "./steps.js";

/** @typedef {import("./app.js").Parts} Parts */
/** @typedef {import("./problem.js").Problem} Problem */

/**
 * @typedef {object} Hooks
 * @property {() => boolean} isLate  nothing of this call matters any more
 * @property {() => void} onFirstFrame
 * @property {(ice: RTCIceConnectionState, connection: RTCPeerConnectionState) => void} onTransport
 * @property {() => void} onEnd  the server has left the call
 * @property {(problem: Problem) => void} onLost
 */

/** A call that shows on the page what becomes of it. @param {Parts} parts @param {RTCConfiguration} network @param {Hooks} hooks */
export function makeCall(parts, network, { isLate, onFirstFrame, onTransport, onEnd, onLost }) {
  const { direction, voice, stage, readout } = parts;
  const call = new Call(network, voice.microphone, {
    onOpen: () => isLate() || startDirection(direction, call),
    onStream: (stream) => stage.play(stream, onFirstFrame),
    onTransport: (ice, connection) => isLate() || onTransport(ice, connection),
    onNotice: (notice) => isLate() || tell(parts, notice, onEnd),
    onRoundTrip: (roundTrip_ms) => readout.showRoundTrip(roundTrip_ms),
    onLost: (problem) => isLate() || onLost(problem),
  });
  return call;
}

/**
 * Show the two transport steps; returns what is wrong with them, if anything is.
 *
 * @param {import("./steps.js").StepList} steps
 * @param {RTCIceConnectionState} iceState
 * @param {RTCPeerConnectionState} connectionState
 * @param {boolean} wasLive
 */
export function showTransport(steps, iceState, connectionState, wasLive) {
  const { ice, dtls } = transportSteps(iceState, connectionState, wasLive);
  steps.set("ice", ice.state, ice.problem);
  steps.set("dtls", dtls.state, dtls.problem);
  return ice.problem ?? dtls.problem;
}

/** A call is over. @param {Parts} parts @param {Problem} [problem]  why, unless the person wanted it */
export function showEnd({ direction, gallery, stage, steps, status }, problem) {
  direction.stop();
  stage.stop();
  stage.showStill(gallery.chosen);
  if (problem) {
    steps.fail(problem);
    status.fail(problem);
  } else {
    steps.reset();
    status.tell("status_ended");
  }
}

/**
 * Let the card direct a call; one that goes on acts as it was told before.
 *
 * @param {import("./direction_panel.js").DirectionPanel} panel
 * @param {Call} call
 */
function startDirection(panel, call) {
  panel.start(call);
  const show = (/** @type {import("./protocol.js").Direction} */ direction) =>
    call.isClosed || panel.hear({ type: "directed", direction, notes: [] });
  void getDirection(call.path).then(show, () => undefined);
}

/**
 * @param {Parts} parts
 * @param {import("./control.js").Notice} notice
 * @param {() => void} end  leave the call, since the server has left it
 */
function tell(parts, notice, end) {
  const { direction, stage, readout, status } = parts;
  direction.hear(notice);
  if (notice.type === "stats") {
    readout.showStats(notice);
    stage.showSpeech(notice.speaking);
  } else if (notice.type === "interrupted") {
    status.tell("status_interrupted", { seconds: Math.round(notice.position_s * 10) / 10 });
  } else if (notice.type === "ending") {
    status.tell("status_ending", { seconds: Math.round(notice.in_s), reason: notice.reason });
  } else if (notice.type === "closing") {
    end();
    status.tell("status_closing", { reason: notice.reason });
  }
}
