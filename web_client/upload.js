// @ts-check
/** The form that makes a portrait of a picture: choose, crop, name, agree, send. */
import { Cropper } from "./cropper.js";
import { byId } from "./dom.js";
import { LookFields } from "./look.js";
import { FILE_LIMIT_MB, nameFrom, readPicture } from "./picture.js";
import { Problem, asProblem, explain } from "./problem.js";
import { uploadAvatar } from "./server.js";
import { clear, show, text } from "./strings.js";

/** @typedef {import("./server.js").Avatar} Avatar */

export class UploadForm {
  #form = byId("upload-form", HTMLFormElement);
  #file = byId("upload-file", HTMLInputElement);
  #drop = byId("upload-drop", HTMLElement);
  #details = byId("upload-details", HTMLElement);
  #name = byId("upload-name", HTMLInputElement);
  #consent = byId("upload-consent", HTMLInputElement);
  #submit = byId("upload-submit", HTMLButtonElement);
  #message = byId("upload-message", HTMLElement);
  #progress = byId("upload-progress", HTMLProgressElement);
  #cropper = new Cropper();
  #look = new LookFields("upload");
  #onCreated;

  /** @param {(avatar: Avatar) => void} onCreated */
  constructor(onCreated) {
    this.#onCreated = onCreated;
    show(byId("upload-formats", HTMLElement), "upload_formats", { megabytes: FILE_LIMIT_MB });
    this.#file.addEventListener("change", () => void this.#choose(this.#file.files?.[0]));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    byId("upload-cancel", HTMLButtonElement).addEventListener("click", () => this.#close());
    this.#acceptDrops();
  }

  /** @param {File | undefined} file */
  async #choose(file) {
    if (!file) return;
    clear(this.#message);
    try {
      this.#cropper.show(await readPicture(file));
      this.#name.value = nameFrom(file.name);
      this.#details.hidden = false;
    } catch (error) {
      this.#close();
      this.#fail(error);
    }
  }

  async #send() {
    if (this.#details.hidden) {
      this.#file.focus();
      return;
    }
    if (!this.#consent.checked) {
      this.#consent.focus();
      this.#fail(new Problem("error_consent"));
      return;
    }
    this.#setBusy(true);
    try {
      const name = this.#name.value.trim() || text("portrait_default_name");
      const picture = await this.#cropper.toBlob();
      const avatar = await uploadAvatar(picture, name, this.#look.look, (share) => this.#onProgress(share));
      this.#close();
      this.#tell("upload_done", { name: avatar.name });
      this.#onCreated(avatar);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {number} share */
  #onProgress(share) {
    if (share < 1) {
      this.#progress.value = share;
      this.#tell("upload_sending", { percent: Math.round(share * 100) });
    } else {
      this.#progress.removeAttribute("value"); // sent; how long preparing takes is not known
      this.#tell("upload_preparing");
    }
  }

  /** @param {import("./problem.js").TextKey} key @param {import("./problem.js").Values} [values] */
  #tell(key, values) {
    this.#message.dataset.kind = "note";
    show(this.#message, key, values);
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#message.dataset.kind = "problem";
    explain(this.#message, asProblem(error));
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#submit.disabled = isBusy;
    this.#progress.hidden = !isBusy;
    this.#form.setAttribute("aria-busy", String(isBusy));
  }

  #close() {
    this.#form.reset();
    this.#cropper.show(null);
    this.#details.hidden = true;
    clear(this.#message);
  }

  #acceptDrops() {
    const marks = this.#drop.classList;
    document.addEventListener("dragover", (event) => {
      event.preventDefault(); // also where it misses: a browser would leave the page for the picture
      marks.add("is-over");
    });
    document.addEventListener("dragleave", () => marks.remove("is-over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      marks.remove("is-over");
      void this.#choose(event.dataTransfer?.files[0]);
    });
  }
}
