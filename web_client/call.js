// @ts-check
/** One WebRTC call, from the offer to the end. Signalling is a single POST; nothing trickles. */
import { Control } from "./control.js";
import { closeSession, interruptSession, openSession } from "./server.js";

/** Candidates that take longer than this are done without. */
const GATHERING_LIMIT_MS = 500;
/** Of a camera: a face that is looked at by a program, in a small picture. */
const CAMERA_BITS_PER_S = 500_000;

/**
 * @typedef {object} MediaHandlers
 * @property {(stream: MediaStream) => void} onStream
 * @property {(ice: RTCIceConnectionState, connection: RTCPeerConnectionState) => void} onTransport
 */
/** @typedef {MediaHandlers & import("./control.js").ControlHandlers} CallHandlers */

export class Call {
  #peer;
  #control;
  #handlers;
  #audio;
  #video;
  #path = "";
  #isClosed = false;

  /**
   * @param {RTCConfiguration} network
   * @param {MediaStream | null} microphone  null to watch and listen only
   * @param {CallHandlers} handlers
   */
  constructor(network, microphone, handlers) {
    this.#handlers = handlers;
    this.#peer = new RTCPeerConnection(network);
    this.#control = new Control(this.#peer.createDataChannel("control"), {
      ...handlers,
      onNotice: (notice) => this.#notice(notice),
    });
    const [track] = microphone?.getAudioTracks() ?? [];
    const direction = track ? "sendrecv" : "recvonly";
    this.#audio = this.#peer.addTransceiver(track ?? "audio", { direction });
    // Both ways from the beginning: a camera may come and go without another offer.
    this.#video = this.#peer.addTransceiver("video", { direction: "sendrecv" });
    this.#peer.addEventListener("track", (event) => this.#receive(event));
    this.#peer.addEventListener("iceconnectionstatechange", () => this.#reportTransport());
    this.#peer.addEventListener("connectionstatechange", () => this.#reportTransport());
  }

  /** Offer the call and take the answer. @param {string | null} avatarId */
  async open(avatarId) {
    await this.#peer.setLocalDescription();
    await gathered(this.#peer);
    const { path, answer } = await openSession(avatarId, this.#peer.localDescription?.sdp ?? "");
    this.#path = path;
    if (this.#isClosed) await closeSession(path); // hung up while the answer was on its way
    else await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
  }

  get isClosed() {
    return this.#isClosed;
  }

  get isListenOnly() {
    return this.#audio.direction === "recvonly";
  }

  get stats() {
    return this.#peer.getStats();
  }

  /** Stop the portrait's present speech. */
  async interrupt() {
    if (this.#control.isOpen) this.#control.send({ type: "interrupt" });
    else if (this.#path) await interruptSession(this.#path);
  }

  /** Ask the portrait to act like this. @param {import("./direction.js").Changes} direction */
  direct(direction) {
    this.#control.send({ type: "direct", direction });
  }

  /** @param {string} name */
  gesture(name) {
    this.#control.send({ type: "gesture", name });
  }

  /** Let a camera drive the portrait, or none. @param {MediaStream | null} camera */
  async useCamera(camera) {
    const { sender } = this.#video;
    await sender.replaceTrack(camera?.getVideoTracks()[0] ?? null);
    if (!camera) return;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.maxBitrate = CAMERA_BITS_PER_S;
    await sender.setParameters(parameters).catch(() => undefined); // then at the browser's own rate
  }

  /** Speak into another microphone from now on. @param {MediaStream} microphone */
  async useMicrophone(microphone) {
    await this.#audio.sender.replaceTrack(microphone.getAudioTracks()[0] ?? null);
  }

  /** End the call here and at the server. Safe to call twice, and while a page is going away. */
  async close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#control.close();
    // The server first: it takes a peer that vanishes for a session that has ended by itself.
    if (this.#path) await closeSession(this.#path);
    this.#peer.close();
  }

  /** @param {import("./control.js").Notice} notice */
  #notice(notice) {
    if (notice.type === "closing") this.#path = ""; // nothing left to end
    this.#handlers.onNotice(notice);
  }

  /** @param {RTCTrackEvent} event */
  #receive({ receiver, streams, track }) {
    askForLowDelay(receiver);
    this.#handlers.onStream(streams[0] ?? new MediaStream([track]));
  }

  #reportTransport() {
    if (this.#isClosed) return;
    const { iceConnectionState, connectionState } = this.#peer;
    this.#handlers.onTransport(iceConnectionState, connectionState);
  }
}

/** Show and play as soon as possible. @param {RTCRtpReceiver} receiver */
function askForLowDelay(receiver) {
  if (Reflect.has(receiver, "jitterBufferTarget")) receiver.jitterBufferTarget = 0;
  else Object.assign(receiver, { playoutDelayHint: 0 }); // the name in older browsers
}

/** @param {RTCPeerConnection} peer @returns {Promise<void>} */
function gathered(peer) {
  return new Promise((resolve) => {
    const finish = () => {
      if (peer.iceGatheringState === "complete") resolve();
    };
    peer.addEventListener("icegatheringstatechange", finish);
    window.setTimeout(resolve, GATHERING_LIMIT_MS);
    finish();
  });
}
