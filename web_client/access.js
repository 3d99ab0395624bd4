// @ts-check
/** The visitor's access token, for servers that ask for one. It lives as long as the tab. */
import { byId } from "./dom.js";

const KEY = "vexpress-access-token";

const token = () => sessionStorage.getItem(KEY) ?? "";

/** The headers of a request, with the token if there is one. @param {Record<string, string>} [headers] */
export function withToken(headers = {}) {
  return token() ? { ...headers, Authorization: `Bearer ${token()}` } : headers;
}

/** Where a websocket opens. It can carry no header, so its address has the token. @param {string} path */
export function socketAddress(path) {
  const address = new URL(path, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  if (token()) address.searchParams.set("token", token());
  return address;
}

/**
 * Show a picture of the server. An `img` sends no token, so with one the picture is fetched.
 *
 * @param {HTMLImageElement} image
 * @param {string} path
 */
export async function showPicture(image, path) {
  if (!token()) {
    image.src = path;
    return;
  }
  const response = await fetch(path, { headers: withToken() }).catch(() => null);
  if (!response?.ok) return; // the name stands next to it
  const address = URL.createObjectURL(await response.blob());
  image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  image.src = address;
}

/** The field for the token, shown where the server needs one. */
export class AccessField {
  #form = byId("access-form", HTMLFormElement);
  #field = byId("access-token", HTMLInputElement);

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#field.value = token();
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, this.#field.value.trim());
      onChange();
    });
  }

  /** @param {boolean} isNeeded */
  show(isNeeded) {
    this.#form.hidden = !isNeeded;
  }
}
