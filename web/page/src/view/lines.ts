/** The Dockerfile's lines as elements. From one plan to the next, only lines that changed are made anew. */

import { element, icon } from "../dom";
import type { Step } from "../planner/protocol";
import { count, visible } from "../wording";
import { coloured } from "./colours";

/** A Dockerfile of more lines is possible, but nobody reads it on a screen. */
const MOST_LINES = 2000;

interface Line {
  node: HTMLElement;
  code: HTMLElement;
  shown: string;
}

interface Box {
  node: HTMLElement;
  verdict: string;
}

export class Lines {
  readonly #root: HTMLElement;
  /** By line number: each number keeps its element. */
  readonly #lines: Line[] = [];
  #boxes: Box[] = [];
  #structure = "";
  #count = 0;
  #marked = new Map<string, number[]>();

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** How many lines are shown. */
  get count(): number {
    return this.#count;
  }

  show(dockerfile: string, steps: readonly Step[]): void {
    const texts = dockerfile.replace(/\n$/, "").split("\n");
    this.#count = Math.min(texts.length, MOST_LINES);
    const shown = steps.filter((step) => step.line <= MOST_LINES);
    for (const step of shown) {
      const instruction = /^\w+/.exec(texts[step.line - 1] ?? "")?.[0] ?? "";
      for (const number of numbers(step)) {
        this.#write(number, texts[number - 1] ?? "", number === step.line ? "" : instruction);
      }
    }
    const structure = JSON.stringify([shown.map(({ line, lines }) => [line, lines]), texts.length]);
    if (structure !== this.#structure) this.#arrange(shown, texts.length);
    this.#structure = structure;
    for (const [index, step] of shown.entries()) judge(this.#boxes[index], step);
  }

  /** Shows nodes in place of all lines. */
  replace(...nodes: Node[]): void {
    this.#structure = "";
    this.#count = 0;
    this.#root.replaceChildren(...nodes);
  }

  /** Gives the class to these lines, and takes it from all others. */
  mark(name: string, numbers: readonly number[]): void {
    for (const number of this.#marked.get(name) ?? []) this.at(number)?.classList.remove(name);
    for (const number of numbers) this.at(number)?.classList.add(name);
    this.#marked.set(name, [...numbers]);
  }

  at(number: number): HTMLElement | undefined {
    return this.#lines[number]?.node;
  }

  #write(number: number, text: string, instruction: string): void {
    const line = (this.#lines[number] ??= empty(number));
    const shown = `${instruction}\n${text}`;
    if (line.shown === shown) return;
    line.shown = shown;
    const pieces = coloured(text, instruction).map((piece) =>
      piece.style === "" ? visible(piece.text) : element("span", { class: piece.style }, piece.text),
    );
    line.code.replaceChildren(...pieces);
  }

  #arrange(steps: readonly Step[], total: number): void {
    this.#boxes = steps.map((step) => {
      const lines = numbers(step).flatMap((number) => this.#lines[number]?.node ?? []);
      return { node: element("div", { class: "step" }, ...lines), verdict: "" };
    });
    const rest = total - MOST_LINES;
    const more =
      rest > 0 ? [element("p", { class: "rest" }, `and ${count(rest, "more line")}: download it to see them all`)] : [];
    this.#root.replaceChildren(...this.#boxes.map(({ node }) => node), ...more);
  }
}

function numbers({ line, lines }: Step): number[] {
  const last = Math.min(line + lines - 1, MOST_LINES);
  return Array.from({ length: last - line + 1 }, (_, index) => line + index);
}

function empty(number: number): Line {
  const gutter = element("span", { class: "number", "aria-hidden": "true" }, String(number));
  const code = element("code");
  const attributes = {
    class: "line",
    role: "button",
    tabindex: number === 1 ? 0 : -1,
    "data-line": number,
    "aria-describedby": "why",
  };
  return { node: element("div", attributes, gutter, code), code, shown: "" };
}

/** Shows whether a step is cached in words and with an icon: not everybody can see colours. */
function judge(box: Box | undefined, { forecast }: Step): void {
  const verdict = forecast ? `${forecast.cached ? "cached" : "again"} ${forecast.reason}` : "";
  if (!box || box.verdict === verdict) return;
  box.verdict = verdict;
  box.node.querySelector(".verdict")?.remove();
  box.node.className = forecast ? `step ${forecast.cached ? "cached" : "again"}` : "step";
  if (!forecast) return;
  const word = element(
    "strong",
    {},
    icon(forecast.cached ? "check" : "again"),
    forecast.cached ? "cached" : "runs again",
  );
  box.node.append(element("p", { class: "verdict", "data-testid": "verdict" }, word, ` ${forecast.reason}`));
}
