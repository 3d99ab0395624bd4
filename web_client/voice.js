// @ts-check
/** The microphone of a call: taken when it begins, changed on the way, given back at its end. */
import { closeMedia } from "./media.js";
import { openMicrophone } from "./microphone.js";
import { Problem, asProblem } from "./problem.js";

export class Voice {
  #picker;
  #steps;
  #status;
  #isMuted = false;
  /** @type {MediaStream | null} */
  #microphone = null;

  /**
   * @param {import("./microphone_picker.js").MicrophonePicker} picker
   * @param {import("./steps.js").StepList} steps
   * @param {import("./status.js").Status} status
   */
  constructor(picker, steps, status) {
    this.#picker = picker;
    this.#steps = steps;
    this.#status = status;
  }

  /** null while there is none, and the person can only listen. */
  get microphone() {
    return this.#microphone;
  }

  /**
   * Open the chosen microphone. One that is refused is explained; the call goes on without.
   *
   * @param {() => boolean} isLate
   */
  async take(isLate) {
    if (this.#picker.isNone) {
      this.#steps.set("microphone", "done", new Problem("note_no_microphone"));
      return;
    }
    this.#steps.set("microphone", "active");
    try {
      const microphone = await openMicrophone(this.#picker.deviceId);
      if (isLate()) closeMedia(microphone);
      else await this.#use(microphone);
    } catch (error) {
      if (!isLate()) this.#steps.set("microphone", "failed", asProblem(error));
    }
  }

  /**
   * Speak into the microphone that is chosen now.
   *
   * @param {import("./call.js").Call} call
   * @param {() => boolean} isLate
   */
  async change(call, isLate) {
    if (call.isListenOnly || this.#picker.isNone) {
      this.#picker.noteNextCall();
      return;
    }
    try {
      const fresh = await openMicrophone(this.#picker.deviceId);
      if (isLate()) return closeMedia(fresh);
      const former = this.#microphone;
      this.#microphone = fresh; // from here on `drop` gives this one back
      await call.useMicrophone(fresh).finally(() => closeMedia(former));
      if (!isLate()) await this.#use(fresh);
    } catch (error) {
      if (!isLate()) this.#steps.set("microphone", "failed", asProblem(error));
    }
  }

  /** @param {boolean} isMuted */
  mute(isMuted) {
    this.#isMuted = isMuted;
    this.#applyMute();
    this.#status.tell(isMuted ? "status_muted" : "status_unmuted");
  }

  /** Give the microphone back. */
  drop() {
    closeMedia(this.#microphone);
    this.#microphone = null;
    this.#isMuted = false;
    this.#picker.stop();
  }

  #applyMute() {
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !this.#isMuted;
  }

  /** @param {MediaStream} microphone */
  async #use(microphone) {
    this.#microphone = microphone;
    this.#applyMute();
    const lost = () => this.#steps.set("microphone", "failed", new Problem("error_microphone_lost"));
    microphone.getAudioTracks()[0]?.addEventListener("ended", lost);
    this.#steps.set("microphone", "done");
    this.#picker.listenTo(microphone);
    await this.#picker.refresh(); // with permission come the names
  }
}
