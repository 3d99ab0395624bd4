// @ts-check
/** The question before a portrait is deleted. */
import { byId } from "./dom.js";
import { deleteAvatar } from "./server.js";
import { show } from "./strings.js";

/** @typedef {import("./server.js").Avatar} Avatar */

export class DeleteDialog {
  #dialog = byId("delete-dialog", HTMLDialogElement);
  #question = byId("delete-question", HTMLElement);
  /** @type {Avatar | null} */
  #doomed = null;

  /** @param {() => void} onDeleted @param {(error: unknown) => void} onFailure */
  constructor(onDeleted, onFailure) {
    this.#dialog.addEventListener("close", () => {
      if (!this.#doomed || this.#dialog.returnValue !== "delete") return;
      deleteAvatar(this.#doomed.id).then(onDeleted, onFailure);
    });
  }

  /** @param {Avatar} avatar */
  open(avatar) {
    this.#doomed = avatar;
    show(this.#question, "portrait_delete_question", { name: avatar.name });
    this.#dialog.returnValue = ""; // Escape must not repeat the last answer
    this.#dialog.showModal();
  }
}
