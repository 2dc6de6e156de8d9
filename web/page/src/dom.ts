/** What every view does with the document. Text is never taken for HTML, and invisible characters become escapes. */

import { visible } from "./wording";

type Attributes = Record<string, string | number | boolean | null | undefined>;

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found as T;
}

/** Attributes that are false, null or undefined are left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.map((child) => (typeof child === "string" ? visible(child) : child)));
  return node;
}

export type Icon =
  | "copy"
  | "download"
  | "pin"
  | "plus"
  | "folder"
  | "file"
  | "link"
  | "chevron"
  | "down"
  | "close"
  | "check"
  | "again"
  | "error"
  | "warning"
  | "info";

const SVG = "http://www.w3.org/2000/svg";

export function icon(name: Icon, className = ""): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${className}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Sets a text only if it differs: screen readers speak when text is set, even to the same text. */
export function setText(node: HTMLElement, text: string): void {
  const shown = visible(text);
  if (node.textContent !== shown) node.textContent = shown;
}
