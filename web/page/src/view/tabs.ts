/** The tabs, which follow the ARIA pattern: arrow keys, Home and End move to a tab and show it. */

import { byId } from "../dom";
import type { View } from "../planner/protocol";

const VIEWS: readonly View[] = ["dockerfile", "context", "image", "spec", "storage"];

export class Tabs {
  readonly #changed: () => void;
  view: View = "dockerfile";

  constructor(changed: () => void) {
    this.#changed = changed;
    for (const view of VIEWS) byId(`tab-${view}`).addEventListener("click", () => this.#select(view));
    byId("tabs").addEventListener("keydown", (event) => {
      const at = VIEWS.indexOf(this.view);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: VIEWS.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const view = VIEWS.at(to % VIEWS.length) ?? "dockerfile";
      this.#select(view);
      byId(`tab-${view}`).focus();
    });
  }

  #select(view: View): void {
    if (view === this.view) return;
    this.view = view;
    for (const one of VIEWS) {
      const tab = byId(`tab-${one}`);
      tab.setAttribute("aria-selected", String(one === view));
      tab.tabIndex = one === view ? 0 : -1;
      byId(`panel-${one}`).hidden = one !== view;
    }
    byId(`tab-${view}`).scrollIntoView({ block: "nearest", inline: "nearest" });
    this.#changed();
  }
}
