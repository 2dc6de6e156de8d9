/** Resolved spec and serialized storage: JSON, in blocks that the browser lays out when they come into view. */

import { byId, element } from "../dom";
import type { Outcome } from "../planner/protocol";
import { save } from "../sharing/download";
import { count } from "../wording";

const LINES_PER_BLOCK = 100;
/** Nobody reads more lines on a screen, and they would make the page slow. */
const MOST_LINES = 3000;

const FILES = { spec: "flowhold.json", storage: "storage.json" } as const;

export class Json {
  readonly #shown = new Map<string, string>();

  show({ content }: Outcome): void {
    if (content.view !== "spec" && content.view !== "storage") return;
    const { view, json, message } = content;
    const shown = json ?? message;
    if (this.#shown.get(view) === shown) return;
    this.#shown.set(view, shown);
    const panel = byId(`panel-${view}`);
    if (json === null) {
      panel.replaceChildren(element("p", { class: "empty" }, `There is none yet: ${message}`));
      return;
    }
    const lines = json.split("\n");
    const download = element("button", { type: "button", class: "button small" }, `Download ${FILES[view]}`);
    download.addEventListener("click", () => save(FILES[view], new Blob([json], { type: "application/json" })));
    const rest =
      lines.length > MOST_LINES
        ? [element("p", { class: "rest" }, `and ${count(lines.length - MOST_LINES, "more line")}`)]
        : [];
    panel.replaceChildren(
      element("div", { class: "float" }, download),
      element("pre", { class: "json" }, ...blocks(lines.slice(0, MOST_LINES))),
      ...rest,
    );
  }
}

function* blocks(lines: readonly string[]): Generator<HTMLElement> {
  for (let at = 0; at < lines.length; at += LINES_PER_BLOCK) {
    const some = lines.slice(at, at + LINES_PER_BLOCK);
    const block = element("code", { class: "block" }, ...some.flatMap((line) => coloured(line)));
    // A block that is not laid out yet gets its later height, so that the scroll bar is right.
    block.style.setProperty("contain-intrinsic-size", `auto ${some.length * 20}px`);
    yield block;
  }
}

const PAIR = /^(\s*)("(?:[^"\\]|\\.)*")(: )?(.*)$/;

function coloured(line: string): (Node | string)[] {
  const match = PAIR.exec(line);
  if (!match) return [`${line}\n`];
  const [, indent = "", first = "", colon, rest = ""] = match;
  if (colon === undefined) return [indent, element("span", { class: "tok-string" }, first), `${rest}\n`];
  const name = element("span", { class: "tok-propertyName" }, first);
  if (!rest.startsWith('"')) return [indent, name, `${colon}${rest}\n`];
  const value = element("span", { class: "tok-string" }, rest.replace(/,$/, ""));
  return [indent, name, colon, value, rest.endsWith(",") ? ",\n" : "\n"];
}
