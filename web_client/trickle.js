// @ts-check
/** Ways to this browser that are found after the offer: sent as they come, in fragments of SDP (RFC 8840). */
import { sendFragment } from "./sessions.js";

/** @typedef {{candidate: string, sdpMid: string | null}} Found */

/**
 * What a fragment says.
 *
 * @param {string} offer  whose name and password it repeats
 * @param {readonly (Found | null)[]} found  null stands behind the last one
 */
export function fragmentOf(offer, found) {
  const lines = ["ice-ufrag", "ice-pwd"].map((name) => new RegExp(`^a=${name}:.*$`, "m").exec(offer)?.[0].trim());
  /** @type {string | null} */
  let section = null;
  for (const each of found) {
    if (each && each.sdpMid !== section) {
      section = each.sdpMid;
      lines.push("m=audio 9 UDP/TLS/RTP/SAVPF 0", `a=mid:${section}`);
    }
    lines.push(each ? `a=${each.candidate}` : "a=end-of-candidates");
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** Gathers what a peer connection finds, and sends it once the session is known. */
export class Trickle {
  #peer;
  #offer = "";
  #path = "";
  #tag = "";
  #isSending = false;
  /** @type {(Found | null)[]} */
  #found = [];

  /** @param {RTCPeerConnection} peer */
  constructor(peer) {
    this.#peer = peer;
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate && !candidate.candidate) return; // the end of one section
      this.#found.push(candidate);
      void this.#send();
    });
  }

  /** What is offered now; all that is found later is sent afterwards. */
  get offer() {
    this.#found = this.#found.filter((each) => !each);
    this.#offer = this.#peer.localDescription?.sdp ?? "";
    return this.#offer;
  }

  /** Send from now on. @param {string} path  of the session @param {string} tag  of its answer */
  begin(path, tag) {
    [this.#path, this.#tag] = [path, tag];
    void this.#send();
  }

  /** Send nothing any more. */
  end() {
    this.#path = "";
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#path && this.#found.length) {
      const fragment = fragmentOf(this.#offer, this.#found.splice(0));
      await sendFragment(this.#path, this.#tag, fragment);
    }
    this.#isSending = false;
  }
}
