// @ts-check
/** Posts the root mean square of every 50 ms of sound. Runs on the audio thread. */
class Level extends AudioWorkletProcessor {
  #window_samples = Math.round(sampleRate * 0.05);
  #seen_samples = 0;
  #energy = 0;

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    for (const sample of inputs[0]?.[0] ?? []) {
      this.#energy += sample * sample;
      this.#seen_samples += 1;
    }
    if (this.#seen_samples >= this.#window_samples) {
      this.port.postMessage(Math.sqrt(this.#energy / this.#seen_samples));
      this.#seen_samples = 0;
      this.#energy = 0;
    }
    return true;
  }
}
registerProcessor("level", Level);
