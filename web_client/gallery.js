// @ts-check
/** The portraits to choose from, as radio buttons with pictures. */
import { showPicture } from "./access.js";
import { ChangeDialog } from "./change.js";
import { DeleteDialog } from "./deletion.js";
import { byId, make } from "./dom.js";
import { traitsOf } from "./look.js";
import { asProblem, explain } from "./problem.js";
import { getAvatars } from "./server.js";
import { clear, show, showIn } from "./strings.js";

/** @typedef {import("./server.js").Avatar} Avatar */

const FAST_MS = 1000;
const SLOW_MS = 3000;

export class Gallery {
  #list = byId("avatar-list", HTMLElement);
  #message = byId("avatar-message", HTMLElement);
  #again = byId("avatar-again", HTMLButtonElement);
  /** @type {Avatar[]} */
  #avatars = [];
  /** @type {Map<string, HTMLElement>} */
  #items = new Map();
  #change = new ChangeDialog((avatar) => void this.load(avatar.id));
  #delete = new DeleteDialog(() => void this.load(), (error) => explain(this.#message, asProblem(error)));
  #timer = 0;
  /** @type {Avatar | null} */
  #chosen = null;
  #onChoose;

  /** @param {(avatar: Avatar | null) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.#again.addEventListener("click", () => void this.load());
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
    this.#avatars = avatars;
    for (const [id, item] of this.#items) {
      if (item.dataset.told === JSON.stringify(this.#find(id))) continue;
      item.remove();
      this.#items.delete(id);
    }
    let hasGrown = false;
    for (const [place, avatar] of avatars.entries()) {
      if (this.#items.has(avatar.id)) continue;
      hasGrown = true;
      const item = this.#item(avatar);
      item.dataset.told = JSON.stringify(avatar);
      this.#items.set(avatar.id, item);
      this.#list.insertBefore(item, this.#list.children[place] ?? null);
    }
    return hasGrown;
  }

  /** @param {string | null | undefined} id */
  #find(id) {
    return this.#avatars.find((avatar) => avatar.id === id);
  }

  /** @param {Avatar | null} avatar */
  #choose(avatar) {
    if (avatar && JSON.stringify(avatar) === JSON.stringify(this.#chosen)) return;
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
    if (!avatar.builtin) item.append(this.#button(avatar, "change"), this.#button(avatar, "delete"));
    return item;
  }

  /** @param {import("./problem.js").TextKey} key */
  #trait(key) {
    const trait = make("small", "trait");
    show(trait, key);
    return trait;
  }

  /** @param {Avatar} avatar @param {"change" | "delete"} what */
  #button(avatar, what) {
    const isChange = what === "change";
    const button = make("button", what);
    button.type = "button";
    showIn(button, "data-text-label", isChange ? "portrait_change" : "portrait_delete", { name: avatar.name });
    button.addEventListener("click", () => (isChange ? this.#change : this.#delete).open(avatar));
    return button;
  }
}
