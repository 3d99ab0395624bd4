// @ts-check
/** How loud the microphone is, 0 to 1, measured on the audio thread. */

const FLOOR_DB = -60;

/**
 * Where a loudness lies between the quietest that is shown and full scale.
 *
 * @param {number} rms  root of the mean square, 0 to 1
 */
export function levelOf(rms) {
  if (rms <= 0) return 0;
  const share = 1 - (20 * Math.log10(rms)) / FLOOR_DB;
  return Math.min(1, Math.max(0, share));
}

export class LevelMeter {
  /** @type {AudioContext | null} */
  #context = null;
  #onLevel;

  /** @param {(level: number) => void} onLevel */
  constructor(onLevel) {
    this.#onLevel = onLevel;
  }

  /** Measure this microphone from now on. @param {MediaStream} microphone */
  async start(microphone) {
    this.stop();
    const context = new AudioContext();
    this.#context = context;
    try {
      await context.audioWorklet.addModule(new URL("level.worklet.js", import.meta.url));
    } catch {
      return; // stopped while loading, or not offered here: the call does well without a meter
    }
    if (this.#context === context) this.#measure(context, microphone);
  }

  stop() {
    void this.#context?.close();
    this.#context = null;
    this.#onLevel(0);
  }

  /** @param {AudioContext} context @param {MediaStream} microphone */
  #measure(context, microphone) {
    const meter = new AudioWorkletNode(context, "level", { numberOfOutputs: 0 });
    meter.port.addEventListener("message", ({ data }) => {
      if (this.#context === context) this.#onLevel(levelOf(data));
    });
    meter.port.start();
    context.createMediaStreamSource(microphone).connect(meter);
  }
}
