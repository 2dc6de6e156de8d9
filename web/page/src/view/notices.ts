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
  const notice = element(
    "div",
    {
      class: `notice ${kind}`,
      role: kind === "error" ? "alert" : "status",
      "data-testid": "notice",
      "data-about": about,
    },
    icon(kind),
    element("p", {}, text),
  );
  if (action) {
    const button = element("button", { type: "button", class: "button small" }, action.label);
    button.addEventListener("click", () => action.run());
    notice.append(button);
  }
  notice.append(close);
  close.addEventListener("click", () => notice.remove());
  region.append(notice);
}

export function dismiss(about: string): void {
  for (const notice of document.querySelectorAll<HTMLElement>(".notice")) {
    if (notice.dataset["about"] === about) notice.remove();
  }
}
