/** The list of problems below the editor. */

import { byId, element, icon, setText } from "../dom";
import type { Outcome, Problem } from "../planner/protocol";
import { count, says } from "../wording";

export class Problems {
  readonly #list = byId("problems");
  readonly #title = byId("problems-title");
  readonly #jump: (problem: Problem) => void;
  #shown = "";

  constructor(jump: (problem: Problem) => void) {
    this.#jump = jump;
  }

  show({ problems, counts }: Outcome): void {
    setText(this.#title, tally(counts));
    this.#list.hidden = problems.length === 0;
    const rest = counts.error + counts.warning + counts.info - problems.length;
    const rows = problems.map(({ severity, line, message, help, policy }) => [severity, line, message, help, policy]);
    const shown = JSON.stringify([rest, rows]);
    // A problem's place is read when the problem is chosen, so it is always a place in the latest text.
    this.#current = problems;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const items = problems.map((problem, index) => this.#row(problem, index));
    if (rest > 0) items.push(element("li", { class: "rest" }, `and ${rest.toLocaleString("en")} more`));
    this.#list.replaceChildren(...items);
  }

  #current: readonly Problem[] = [];

  #row({ severity, message, help, policy, line }: Problem, index: number): HTMLLIElement {
    const text = element("span", { class: "text" }, element("span", { class: "hidden" }, `${severity}: `), message);
    if (help !== null) text.append(element("span", { class: "help" }, help));
    if (policy !== null) text.append(element("span", { class: "help" }, says(policy)));
    const place = element("span", { class: "line" }, `line ${line}`);
    const button = element("button", { type: "button", class: `problem ${severity}` }, icon(severity), text, place);
    button.addEventListener("click", () => {
      const problem = this.#current[index];
      if (problem) this.#jump(problem);
    });
    return element("li", {}, button);
  }
}

/** `2 errors, 1 warning` */
export function tally({ error, warning, info }: Outcome["counts"]): string {
  const parts = [
    error > 0 ? count(error, "error") : "",
    warning > 0 ? count(warning, "warning") : "",
    info > 0 ? count(info, "hint") : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "No problems" : parts.join(", ");
}
