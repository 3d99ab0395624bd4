// @ts-check
/** The dialog that gives a portrait another name or look. */
import { byId } from "./dom.js";
import { LookFields, choiceOf } from "./look.js";
import { asProblem, explain } from "./problem.js";
import { changeAvatar } from "./server.js";
import { clear, show } from "./strings.js";

/** @typedef {import("./server.js").Avatar} Avatar */
/** @typedef {{name: string, framing: string, background: string, size: string}} Wishes */

/**
 * What of a form differs from the portrait; a size is only sent where one was chosen.
 *
 * @param {Avatar} avatar
 * @param {Wishes} wishes
 * @returns {Partial<Wishes>}
 */
export function changesOf(avatar, { name, framing, background, size }) {
  /** @type {Partial<Wishes>} */
  const changes = {};
  if (name && name !== avatar.name) changes.name = name;
  if (framing !== avatar.framing) changes.framing = framing;
  const isSame = background === choiceOf(avatar.background) || background === avatar.background;
  if (!isSame) changes.background = background;
  if (size) changes.size = size;
  return changes;
}

export class ChangeDialog {
  #dialog = byId("change-dialog", HTMLDialogElement);
  #form = byId("change-form", HTMLFormElement);
  #title = byId("change-title", HTMLElement);
  #name = byId("change-name", HTMLInputElement);
  #size = byId("change-size", HTMLSelectElement);
  #picture = byId("change-picture", HTMLOptionElement);
  #submit = byId("change-submit", HTMLButtonElement);
  #message = byId("change-message", HTMLElement);
  #look = new LookFields("change");
  /** @type {Avatar | null} */
  #avatar = null;
  #onChanged;

  /** @param {(avatar: Avatar) => void} onChanged */
  constructor(onChanged) {
    this.#onChanged = onChanged;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    byId("change-cancel", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
  }

  /** @param {Avatar} avatar */
  open(avatar) {
    this.#avatar = avatar;
    show(this.#title, "portrait_change", { name: avatar.name });
    this.#name.value = avatar.name;
    this.#size.value = "";
    this.#picture.hidden = avatar.background !== "picture";
    this.#look.look = avatar;
    clear(this.#message);
    this.#dialog.showModal();
  }

  async #send() {
    if (!this.#avatar) return;
    const wishes = { ...this.#look.look, name: this.#name.value.trim(), size: this.#size.value };
    const changes = changesOf(this.#avatar, wishes);
    if (Object.keys(changes).length === 0) {
      this.#dialog.close();
      return;
    }
    this.#submit.disabled = true;
    show(this.#message, "portrait_changing");
    try {
      const changed = await changeAvatar(this.#avatar.id, changes);
      this.#dialog.close();
      this.#onChanged(changed);
    } catch (error) {
      explain(this.#message, asProblem(error));
    } finally {
      this.#submit.disabled = false;
    }
  }
}
