/** Messages about something that just happened, each in its place, until they are dismissed. */

import { byId, element, icon } from "../dom";

const PLACES = { page: "notices", drop: "drop-notices" } as const;
const MOST = 3;

export interface Notice {
  kind: "error" | "info";
  text: string;
  /** Notices about one thing replace each other. */
  about: string;
  place?: keyof typeof PLACES;
  action?: { label: string; run(): void };
}

export function notify({ kind, text, about, place = "page", action }: Notice): void {
  const region = byId(PLACES[place]);
  dismiss(about);
  while (region.children.length >= MOST) region.firstElementChild?.remove();
  const close = element(
    "button",
    { type: "button", class: "button quiet small", "aria-label": "Dismiss" },
    icon("close"),
  );
  const said = element("p", {}, text);
  const notice = element(
    "div",
    {
      class: `notice ${kind}`,
      // The places of notices are live regions already; many screen readers ignore a region that is added later.
      role: kind === "error" ? "alert" : null,
      "data-testid": "notice",
      "data-about": about,
    },
    icon(kind),
    said,
  );
  if (action) {
    const button = element("button", { type: "button", class: "button small" }, action.label);
    button.addEventListener("click", () => action.run());
    notice.append(button);
  }
  notice.append(close);
  close.addEventListener("click", () => notice.remove());
  region.append(notice);
  // A text that has to be scrolled must be reachable by keyboard.
  if (said.scrollHeight > said.clientHeight) said.tabIndex = 0;
}

export function isNotified(about: string): boolean {
  return find(about).length > 0;
}

export function dismiss(about: string): void {
  for (const notice of find(about)) notice.remove();
}

function find(about: string): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(".notice")].filter((notice) => notice.dataset["about"] === about);
}
