/** The Dockerfile: which field made each line and why, and which steps would run again. */

import { byId, element, setText } from "../dom";
import type { Range } from "../fields";
import type { LineFields, Outcome } from "../planner/protocol";
import { count } from "../wording";
import { Lines } from "./lines";

const HINT =
  "Point at a line to see which field made it, and why. The cursor in the spec marks the lines that its field made.";

export interface Listener {
  /** Called with the parts of the spec that made the line the user looks at, or none. `show` asks to scroll to them. */
  looked(ranges: Range[], show: boolean): void;
  /** The user wants to edit what made a line. */
  chosen(range: Range): void;
}

export class Dockerfile {
  readonly #root = byId("dockerfile");
  readonly #lines = new Lines(this.#root);
  readonly #why = byId("why");
  readonly #stale = byId("stale");
  readonly #listener: Listener;
  #outcome: Outcome | null = null;
  /** Whether the Dockerfile shown may not be that of the current spec: then its places are not places in the spec. */
  #outdated = false;
  #looked = 0;
  #said = "";
  #made: ReadonlySet<number> = new Set();

  constructor(listener: Listener) {
    this.#listener = listener;
    const line = (event: Event): number =>
      Number((event.target as Element).closest<HTMLElement>("[data-line]")?.dataset["line"] ?? 0);
    this.#root.addEventListener(
      "pointerover",
      (event) => event.pointerType === "mouse" && this.#look(line(event), false),
    );
    // The explanation stays while the pointer is on it. As it grows, it may also come under the pointer by itself.
    const left = ({ relatedTarget }: PointerEvent): void => {
      const within =
        relatedTarget instanceof Node && (this.#root.contains(relatedTarget) || this.#why.contains(relatedTarget));
      if (!within) this.#look(this.#focused(), false);
    };
    this.#root.addEventListener("pointerleave", left);
    this.#why.addEventListener("pointerleave", left);
    this.#root.addEventListener("focusin", (event) => this.#look(line(event), true));
    this.#root.addEventListener("focusout", (event) => event.relatedTarget !== this.#why && this.#look(0, false));
    this.#why.addEventListener("blur", () => this.#look(this.#focused(), false));
    this.#root.addEventListener("keydown", (event) => this.#key(event, line(event)));
    // Screen readers press a button with a click that no pointer made.
    this.#root.addEventListener("click", (event) => event.detail === 0 && this.#choose(line(event)));
    this.#explain(0);
  }

  show(outcome: Outcome): void {
    // While the spec has errors, the last Dockerfile stays, and is marked as the last.
    if (outcome.counts.error > 0) return this.outdate("There is an error.");
    this.#stale.hidden = true;
    this.#root.classList.remove("old");
    this.#outcome = outcome;
    this.#outdated = false;
    this.#why.hidden = outcome.dockerfile === null;
    if (outcome.dockerfile === null) this.#lines.replace(empty(outcome));
    else this.#lines.show(outcome.dockerfile, outcome.steps);
    // One of the lines can always be reached with the Tab key.
    const first = this.#lines.at(1);
    if (first && !this.#root.querySelector('[tabindex="0"]')) first.tabIndex = 0;
    if (this.#looked === 0) return;
    this.#explain(this.#looked);
    this.#listener.looked(this.#ranges(this.#looked), false);
  }

  /** Marks the Dockerfile that is shown as not that of the current spec. */
  outdate(why: string): void {
    const shown = this.#outcome?.dockerfile != null;
    this.#outdated = true;
    this.#why.hidden = !shown;
    this.#stale.hidden = false;
    setText(
      this.#stale,
      `${why} ${shown ? "This is the last Dockerfile that could be planned." : "There is no Dockerfile."}`,
    );
    this.#root.classList.add("old");
    if (!shown) this.#lines.replace();
  }

  /** Marks the lines that the field at the cursor made. */
  follow(cursor: number): void {
    const made = new Set<number>();
    let least = Infinity;
    const around = this.#places("around");
    for (let at = 0; at + 2 < around.length; at += 3) {
      const [from = 0, to = 0, line = 0] = around.subarray(at, at + 3);
      if (cursor < from || cursor > to || to - from > least) continue;
      if (to - from < least) made.clear();
      least = to - from;
      made.add(line);
    }
    if (made.size === this.#made.size && [...made].every((line) => this.#made.has(line))) return;
    this.#made = made;
    this.#lines.mark("made", [...made]);
    const [first] = made;
    if (first !== undefined) this.#reveal(first);
  }

  /** Scrolls the Dockerfile to a line, and not the page, since the reader is looking at the spec. */
  #reveal(line: number): void {
    const [shown, all] = [this.#lines.at(line)?.getBoundingClientRect(), this.#root.getBoundingClientRect()];
    if (!shown) return;
    this.#root.scrollTop += Math.min(0, shown.top - all.top) + Math.max(0, shown.bottom - all.bottom);
  }

  #key(event: KeyboardEvent, line: number): void {
    const last = this.#lines.count;
    const to = { ArrowDown: line + 1, ArrowUp: line - 1, Home: 1, End: last }[event.key];
    if (event.key === "Enter" || event.key === " ") this.#choose(line);
    else if (to === undefined) return;
    else if (to >= 1 && to <= last) {
      for (const one of this.#root.querySelectorAll<HTMLElement>('[tabindex="0"]')) one.tabIndex = -1;
      const next = this.#lines.at(to);
      if (next) next.tabIndex = 0;
      next?.focus();
    }
    event.preventDefault();
  }

  #choose(line: number): void {
    const range = this.#ranges(line)[0];
    if (range) this.#listener.chosen(range);
  }

  #look(line: number, show: boolean): void {
    if (line === this.#looked && !show) return;
    this.#looked = line;
    this.#lines.mark("looked", [line]);
    this.#explain(line);
    this.#listener.looked(this.#ranges(line), show);
  }

  #explain(line: number): void {
    const step = this.#outcome?.steps.find((one) => line >= one.line && line < one.line + one.lines);
    const made = this.#outcome?.lineFields[line];
    // Screen readers read the explanation aloud whenever it is set, even to the same text.
    const said = JSON.stringify(step ? [line, made, step.why] : []);
    if (said === this.#said) return;
    this.#said = said;
    if (!step) return this.#why.replaceChildren(element("p", { class: "faint" }, HINT));
    this.#why.replaceChildren(
      element("p", { class: "made" }, `Line ${line}`, ...fields(made)),
      element("p", {}, step.why),
    );
  }

  #ranges(line: number): Range[] {
    const spans = this.#places("spans");
    const ranges: Range[] = [];
    for (let at = 0; at + 2 < spans.length; at += 3) {
      if (spans[at + 2] === line) ranges.push({ from: spans[at] ?? 0, to: spans[at + 1] ?? 0 });
    }
    return ranges;
  }

  #places(which: "spans" | "around"): Uint32Array {
    return (!this.#outdated && this.#outcome?.[which]) || new Uint32Array();
  }

  #focused(): number {
    const focused = document.activeElement;
    return focused instanceof HTMLElement && this.#root.contains(focused) ? Number(focused.dataset["line"] ?? 0) : 0;
  }
}

function fields(made: LineFields | undefined): (Node | string)[] {
  if (!made || made.count === 0) return [];
  const names = made.fields.flatMap((field, index) => [index === 0 ? " made by " : ", ", element("code", {}, field)]);
  return made.count > made.fields.length
    ? [...names, ` and ${(made.count - made.fields.length).toLocaleString("en")} more`]
    : names;
}

function empty({ type, flowCount }: Outcome): HTMLElement {
  const kept =
    { local: "in a directory", memory: "in memory", bytes: "inside the serialized storage" }[type] ?? "elsewhere";
  const flows =
    flowCount > 0
      ? `Its ${count(flowCount, "flow")} ${flowCount === 1 ? "is" : "are"} kept ${kept}: the Image tab says where.`
      : `Its flows would be kept ${kept}.`;
  return element(
    "div",
    { class: "empty" },
    element("p", {}, element("strong", {}, `A ${type} storage needs no image, so there is no Dockerfile.`)),
    element(
      "p",
      {},
      flows,
      " Write ",
      element("code", {}, 'type = "docker"'),
      " below ",
      element("code", {}, "[storage]"),
      " to get one.",
    ),
  );
}
