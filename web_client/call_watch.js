// @ts-check
/** Watches a connected call: the first frame that must come, and the numbers every second. */
import { Problem } from "./problem.js";

const STATS_EVERY_MS = 1000;
const FIRST_FRAME_LIMIT_S = 10;

export class CallWatch {
  #steps;
  #readout;
  #statsTimer = 0;
  #frameTimer = 0;

  /** @param {import("./steps.js").StepList} steps @param {import("./readout.js").Readout} readout */
  constructor(steps, readout) {
    this.#steps = steps;
    this.#readout = readout;
  }

  /** @param {import("./call.js").Call} call */
  start(call) {
    this.#statsTimer = window.setInterval(() => void this.#readStats(call), STATS_EVERY_MS);
    if (this.#steps.stateOf("first-frame") === "done") return;
    this.#steps.set("first-frame", "active");
    const missing = new Problem("error_first_frame", { seconds: FIRST_FRAME_LIMIT_S });
    const miss = () => this.#steps.set("first-frame", "failed", missing);
    this.#frameTimer = window.setTimeout(miss, FIRST_FRAME_LIMIT_S * 1000);
  }

  /** The first frame is on the screen. */
  seeFirstFrame() {
    window.clearTimeout(this.#frameTimer);
    this.#steps.set("first-frame", "done");
  }

  stop() {
    window.clearInterval(this.#statsTimer);
    window.clearTimeout(this.#frameTimer);
  }

  /** @param {import("./call.js").Call} call */
  async #readStats(call) {
    const report = await call.stats;
    if (!call.isClosed) this.#readout.showReport(report);
  }
}
