/** A button with a menu that follows the ARIA pattern. */

import { element } from "../dom";

export interface Item {
  title: string;
  detail: string;
  run(): void;
}

export function menu(button: HTMLElement, list: HTMLElement, items: readonly Item[]): void {
  const rows = items.map(({ title, detail, run }) => {
    const row = element(
      "button",
      { type: "button", role: "menuitem", tabindex: -1 },
      element("strong", {}, title),
      element("span", {}, detail),
    );
    row.addEventListener("click", () => {
      close();
      run();
    });
    return row;
  });
  list.replaceChildren(...rows);

  const open = (at: number): void => {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    rows.at(at)?.focus();
  };
  const close = (): void => {
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
  };
  button.addEventListener("click", () => (list.hidden ? open(0) : close()));
  button.addEventListener("keydown", (event) => {
    const at = { ArrowDown: 0, ArrowUp: -1 }[event.key];
    if (at === undefined) return;
    event.preventDefault();
    open(at);
  });
  list.addEventListener("keydown", (event) => {
    const at = rows.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") {
      close();
      button.focus();
    } else if (to === undefined) return;
    event.preventDefault();
    if (to !== undefined) rows.at(to % rows.length)?.focus();
  });
  list.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget !== button && !list.contains(relatedTarget as Node | null)) close();
  });
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !list.contains(target) && !button.contains(target)) close();
  });
}
