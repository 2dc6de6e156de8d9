/** The build context as a tree. The worker sends the rows that are visible. */

import { byId, element, icon } from "../dom";
import { MANY } from "../planner/tree";
import type { Folds, Outcome, Row } from "../planner/protocol";
import { bytes, count } from "../wording";

const ICONS = { directory: "folder", file: "file", link: "link", more: "down" } as const;

export class Context {
  readonly folds: Folds = { open: {}, shown: {} };
  readonly #panel = byId("panel-context");
  readonly #tree = element("div", { role: "tree", class: "tree", "aria-label": "Build context" });
  readonly #total = element("p", { class: "total" });
  readonly #changed: () => void;
  #rows: readonly Row[] = [];
  #active = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
    this.#panel.append(this.#total, this.#tree);
    const index = (event: Event): number =>
      Number((event.target as Element).closest<HTMLElement>("[data-row]")?.dataset["row"] ?? -1);
    this.#tree.addEventListener("click", (event) => this.#toggle(index(event)));
    this.#tree.addEventListener("focusin", (event) => (this.#active = Math.max(0, index(event))));
    this.#tree.addEventListener("keydown", (event) => this.#key(event, index(event)));
  }

  show({ content, context, image, type, counts }: Outcome): void {
    if (content.view !== "context") return;
    const unknown = context.unknown > 0 ? `, and ${count(context.unknown, "file")} whose bytes are not here` : "";
    this.#total.textContent =
      content.rows.length > 0
        ? `${count(context.files, "file")}, ${bytes(context.bytes)} in all${unknown}, sent with the Dockerfile`
        : counts.error > 0
          ? "There is no build context while the spec has an error."
          : image !== null
            ? "Nothing is sent with the Dockerfile."
            : `A ${type} storage sends no build context.`;
    this.#tree.hidden = content.rows.length === 0;
    if (JSON.stringify(this.#rows) === JSON.stringify(content.rows)) return;
    const focused = this.#tree.contains(document.activeElement);
    this.#rows = content.rows;
    this.#tree.replaceChildren(...this.#rows.map(row));
    this.#move(Math.min(this.#active, this.#rows.length - 1), focused);
  }

  #toggle(index: number): void {
    const row = this.#rows[index];
    if (row?.kind === "more") this.folds.shown[row.path] = (this.folds.shown[row.path] ?? MANY) + 5 * MANY;
    else if (row?.open != null) this.folds.open[row.path] = !row.open;
    else return;
    this.#changed();
  }

  #key(event: KeyboardEvent, index: number): void {
    const row = this.#rows[index];
    if (!row) return;
    const parent = this.#rows.findLastIndex(({ depth }, at) => at < index && depth < row.depth);
    const moves: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      Home: 0,
      End: this.#rows.length - 1,
      ArrowLeft: row.open ? index : parent,
      ArrowRight: row.open ? index + 1 : index,
    };
    const to = moves[event.key];
    const toggles =
      event.key === "Enter" ||
      event.key === " " ||
      (event.key === "ArrowLeft" && row.open === true) ||
      (event.key === "ArrowRight" && row.open === false);
    if (toggles) this.#toggle(index);
    else if (to === undefined) return;
    else if (to >= 0 && to < this.#rows.length) this.#move(to, true);
    event.preventDefault();
  }

  #move(index: number, focus: boolean): void {
    const old = this.#tree.querySelector<HTMLElement>('[tabindex="0"]');
    if (old) old.tabIndex = -1;
    const next = this.#tree.children.item(index);
    if (!(next instanceof HTMLElement)) return;
    next.tabIndex = 0;
    if (focus) next.focus();
  }
}

function row({ kind, name, depth, size, detail, open }: Row, index: number): HTMLElement {
  const node = element(
    "div",
    {
      role: "treeitem",
      class: `row ${kind}`,
      tabindex: -1,
      "data-row": index,
      "aria-level": depth + 1,
      "aria-expanded": open?.toString(),
    },
    icon("chevron", open ? "turn open" : "turn"),
    icon(ICONS[kind]),
    element("span", { class: "name" }, kind === "directory" ? `${name}/` : name),
    element("span", { class: "detail" }, detail),
    element("span", { class: "size" }, kind === "more" || kind === "link" ? "" : size === null ? "?" : bytes(size)),
  );
  node.style.setProperty("--depth", String(depth));
  return node;
}
