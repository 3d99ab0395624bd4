// @ts-check
/** One WebRTC call, from the offer to the end. The offer waits for nothing: candidates follow it. */
import { Control } from "./control.js";
import { askForLowDelay, connected, sendCamera } from "./peer.js";
import { closeSession, interruptSession, openSession } from "./sessions.js";
import { Trickle } from "./trickle.js";

/**
 * @typedef {object} MediaHandlers
 * @property {(stream: MediaStream) => void} onStream
 * @property {(ice: RTCIceConnectionState, connection: RTCPeerConnectionState) => void} onTransport
 */
/** @typedef {MediaHandlers & import("./control.js").ControlHandlers} CallHandlers */

export class Call {
  #peer;
  #trickle;
  #control;
  #handlers;
  #audio;
  #video;
  #path = "";
  #ticket = "";
  #isClosed = false;

  /**
   * @param {RTCConfiguration} network
   * @param {MediaStream | null} microphone  null to watch and listen only
   * @param {CallHandlers} handlers
   */
  constructor(network, microphone, handlers) {
    this.#handlers = handlers;
    this.#peer = new RTCPeerConnection(network);
    this.#trickle = new Trickle(this.#peer);
    this.#control = new Control(this.#peer.createDataChannel("control"), {
      ...handlers,
      onNotice: (notice) => this.#notice(notice),
      onLost: (problem) => this.#isClosed || handlers.onLost(problem),
    });
    const [track] = microphone?.getAudioTracks() ?? [];
    this.#audio = this.#peer.addTransceiver(track ?? "audio", { direction: track ? "sendrecv" : "recvonly" });
    // Both ways from the beginning: a camera may come and go without another offer.
    this.#video = this.#peer.addTransceiver("video", { direction: "sendrecv" });
    this.#peer.addEventListener("track", (event) => this.#receive(event));
    this.#peer.addEventListener("iceconnectionstatechange", () => this.#reportTransport());
    this.#peer.addEventListener("connectionstatechange", () => this.#reportTransport());
  }

  /** Offer the call and take the answer. @param {string | null} avatarId @param {string} [former]  ticket of a call to go on with */
  async open(avatarId, former) {
    await this.#peer.setLocalDescription();
    const { path, answer, ticket, tag } = await openSession(avatarId, this.#trickle.offer, former);
    [this.#path, this.#ticket] = [path, ticket];
    if (this.#isClosed) return await closeSession(path); // hung up while the answer was on its way
    this.#trickle.begin(path, tag);
    await this.#peer.setRemoteDescription({ type: "answer", sdp: answer });
  }

  /** Wait until sound and picture can flow. Throws a `Problem` when they cannot soon. */
  connected() {
    return connected(this.#peer);
  }

  /** Where the session lives; empty while there is none. */
  get path() {
    return this.#path;
  }

  /** What takes the session back; empty while there is none. */
  get ticket() {
    return this.#path && this.#ticket;
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
    await sendCamera(this.#video.sender, camera);
  }

  /** Speak into another microphone from now on. @param {MediaStream} microphone */
  async useMicrophone(microphone) {
    await this.#audio.sender.replaceTrack(microphone.getAudioTracks()[0] ?? null);
  }

  /**
   * End the call here and at the server. Safe to call twice, and while a page is going away.
   *
   * @param {number} [grace_s]  that the server waits for somebody who takes the session back
   */
  async close(grace_s) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#trickle.end();
    this.#control.close();
    // The server first: it takes a peer that vanishes for a session that has ended by itself.
    if (this.#path) await closeSession(this.#path, grace_s);
    this.#peer.close();
  }

  /** Hang up here only: the session goes on, over another call or for a while. */
  drop() {
    this.#isClosed = true;
    this.#control.close();
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
    const { iceConnectionState, connectionState } = this.#peer;
    if (!this.#isClosed) this.#handlers.onTransport(iceConnectionState, connectionState);
  }
}
