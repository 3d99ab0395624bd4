// @ts-check
/** The portraits to choose from, as radio buttons with pictures. */
import { showPicture } from "./access.js";
import { byId, make } from "./dom.js";
import { traitsOf } from "./look.js";
import { asProblem, explain } from "./problem.js";
import { deleteAvatar, getAvatars } from "./server.js";
import { clear, show, showIn } from "./strings.js";

/** @typedef {import("./server.js").Avatar} Avatar */

const FAST_MS = 1000;
const SLOW_MS = 3000;

export class Gallery {
  #list = byId("avatar-list", HTMLElement);
  #message = byId("avatar-message", HTMLElement);
  #again = byId("avatar-again", HTMLButtonElement);
  #dialog = byId("delete-dialog", HTMLDialogElement);
  /** @type {Avatar[]} */
  #avatars = [];
  /** @type {Map<string, Element>} */
  #items = new Map();
  #timer = 0;
  /** @type {Avatar | null} */
  #chosen = null;
  /** @type {Avatar | null} */
  #doomed = null;
  #onChoose;

  /** @param {(avatar: Avatar | null) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.#again.addEventListener("click", () => void this.load());
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue === "delete") void this.#delete();
    });
  }

  get chosen() {
    return this.#chosen;
  }

  /** Ask the server for its portraits. @param {string} [wantedId]  the one to choose, if it is there */
  async load(wantedId) {
    this.#again.hidden = true;
    try {
      const list = await getAvatars();
      const hasGrown = this.#show(list.avatars);
      const wanted = this.#find(wantedId) ?? this.#find(this.#chosen?.id) ?? this.#find(list.default);
      this.#choose(wanted ?? list.avatars[0] ?? null);
      if (list.avatars.length) clear(this.#message);
      else show(this.#message, list.default === null ? "portraits_preparing" : "portraits_none");
      // A server that has just started still prepares portraits: ask until there come no more.
      window.clearTimeout(this.#timer);
      if (hasGrown || list.default === null) {
        this.#timer = window.setTimeout(() => void this.load(), list.avatars.length ? SLOW_MS : FAST_MS);
      }
    } catch (error) {
      explain(this.#message, asProblem(error));
      this.#again.hidden = false;
    }
  }

  /** Add what is new and remove what is gone; the rest stays, and keeps the focus. @param {Avatar[]} avatars */
  #show(avatars) {
    const fresh = avatars.filter(({ id }) => !this.#items.has(id));
    this.#avatars = avatars;
    for (const [id, item] of this.#items) {
      if (this.#find(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    for (const avatar of fresh) {
      const item = this.#item(avatar);
      this.#items.set(avatar.id, item);
      this.#list.append(item);
    }
    return fresh.length > 0;
  }

  /** @param {string | null | undefined} id */
  #find(id) {
    return this.#avatars.find((avatar) => avatar.id === id);
  }

  /** @param {Avatar | null} avatar */
  #choose(avatar) {
    if (avatar && avatar.id === this.#chosen?.id) return;
    this.#chosen = avatar;
    for (const radio of this.#list.querySelectorAll("input")) radio.checked = radio.value === avatar?.id;
    this.#onChoose(avatar);
  }

  /** @param {Avatar} avatar */
  #item(avatar) {
    const radio = make("input", "visually-hidden");
    radio.type = "radio";
    radio.name = "avatar";
    radio.value = avatar.id;
    radio.addEventListener("change", () => this.#choose(avatar));
    const picture = make("img", "");
    void showPicture(picture, avatar.picture);
    picture.alt = ""; // the name stands next to it
    picture.loading = "lazy";
    const name = make("span", "name");
    name.textContent = avatar.name;
    const traits = traitsOf(avatar).map((key) => this.#trait(key));
    const item = make("div", "avatar", make("label", "", radio, picture, name, ...traits));
    if (!avatar.builtin) item.append(this.#deleteButton(avatar));
    return item;
  }

  /** @param {import("./problem.js").TextKey} key */
  #trait(key) {
    const trait = make("small", "trait");
    show(trait, key);
    return trait;
  }

  /** @param {Avatar} avatar */
  #deleteButton(avatar) {
    const button = make("button", "delete");
    button.type = "button";
    button.dataset.avatar = avatar.id;
    showIn(button, "data-text-label", "portrait_delete", { name: avatar.name });
    button.addEventListener("click", () => {
      this.#doomed = avatar;
      show(byId("delete-question", HTMLElement), "portrait_delete_question", { name: avatar.name });
      this.#dialog.returnValue = ""; // Escape must not repeat the last answer
      this.#dialog.showModal();
    });
    return button;
  }

  async #delete() {
    if (!this.#doomed) return;
    try {
      await deleteAvatar(this.#doomed.id);
      await this.load();
    } catch (error) {
      explain(this.#message, asProblem(error));
    }
  }
}
