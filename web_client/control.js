// @ts-check
/** The data channel of one call: heartbeat, round trips, messages. */
import { Problem } from "./problem.js";
import { decode, encode } from "./protocol.js";

/** @typedef {Exclude<import("./protocol.js").FromServer, import("./protocol.js").Pong>} Notice */

const PING_EVERY_MS = 1000;
const KEPT_PINGS = 10;

/** Which pings are under way, and how long an answered one took. */
export class RoundTrips {
  /** @type {Map<number, number>} */
  #sent_ms = new Map();
  #next_id = 1;

  /** The id for a ping that leaves now; the oldest unanswered one is forgotten. @param {number} now_ms */
  begin(now_ms) {
    const id = this.#next_id++;
    this.#sent_ms.set(id, now_ms);
    const [oldest] = this.#sent_ms.keys();
    if (this.#sent_ms.size > KEPT_PINGS && oldest !== undefined) this.#sent_ms.delete(oldest);
    return id;
  }

  /**
   * @param {number} id
   * @param {number} now_ms
   * @returns {number | null}  null for an answer to no known ping
   */
  end(id, now_ms) {
    const sent_ms = this.#sent_ms.get(id);
    this.#sent_ms.delete(id);
    return sent_ms === undefined ? null : now_ms - sent_ms;
  }
}

/**
 * @typedef {object} ControlHandlers
 * @property {() => void} onOpen  messages can be sent
 * @property {(notice: Notice) => void} onNotice
 * @property {(roundTrip_ms: number) => void} onRoundTrip
 * @property {(problem: Problem) => void} onLost  the server is gone for good
 */

export class Control {
  #channel;
  #handlers;
  #trips = new RoundTrips();
  #timer = 0;

  /** @param {RTCDataChannel} channel @param {ControlHandlers} handlers */
  constructor(channel, handlers) {
    this.#channel = channel;
    this.#handlers = handlers;
    channel.addEventListener("open", () => {
      this.#beat();
      handlers.onOpen();
    });
    channel.addEventListener("message", ({ data }) => this.#receive(String(data)));
    channel.addEventListener("close", () => this.#lose());
  }

  get isOpen() {
    return this.#channel.readyState === "open";
  }

  /** @param {import("./protocol.js").ToServer} message */
  send(message) {
    if (this.isOpen) this.#channel.send(encode(message));
  }

  close() {
    window.clearInterval(this.#timer);
  }

  #lose() {
    this.close();
    this.#handlers.onLost(new Problem("error_lost"));
  }

  #beat() {
    const ping = () => this.send({ type: "ping", id: this.#trips.begin(performance.now()) });
    ping();
    this.#timer = window.setInterval(ping, PING_EVERY_MS);
  }

  /** @param {string} source */
  #receive(source) {
    const message = decode(source);
    if (message.type === "pong") {
      const roundTrip_ms = this.#trips.end(message.id, performance.now());
      if (roundTrip_ms !== null) this.#handlers.onRoundTrip(roundTrip_ms);
    } else if (isNotice(message)) {
      this.#handlers.onNotice(message);
    }
  }
}

const TO_SERVER = ["interrupt", "ping", "direct", "gesture"];

/**
 * @param {import("./protocol.js").ToServer | Notice} message
 * @returns {message is Notice}
 */
const isNotice = (message) => !TO_SERVER.includes(message.type);
