// @ts-check
/** The one line that says how things stand; screen readers speak it. */
import { byId } from "./dom.js";
import { explain } from "./problem.js";
import { show } from "./strings.js";

export class Status {
  #line = byId("status", HTMLElement);

  /** @param {import("./strings.js").TextKey} key @param {import("./strings.js").Values} [values] */
  tell(key, values) {
    this.#line.dataset.kind = "note";
    show(this.#line, key, values);
  }

  /** @param {import("./problem.js").Problem} problem */
  fail(problem) {
    this.#line.dataset.kind = "problem";
    explain(this.#line, problem);
  }
}
