/** Pins a plan, and says which steps of later plans the daemon would have cached. */

import { byId, element, icon, setText } from "../dom";
import type { Outcome } from "../planner/protocol";
import { recall, remember } from "../remembered";
import { reason } from "../wording";
import { notify } from "./notices";

export interface Listener {
  /** Called with the preview, as JSON, that plans are compared with from now on; null for none. */
  pinned(preview: string | null): void;
  /** The preview of the current text. */
  capture(): Promise<string>;
}

export class Forecast {
  readonly #bar = byId("forecast");
  readonly #button = byId<HTMLButtonElement>("pin");
  readonly #listener: Listener;
  #pinned: { plan: string; preview: string } | null = null;

  constructor(listener: Listener) {
    this.#listener = listener;
    this.#button.addEventListener("click", () => void (this.#pinned ? this.#unpin() : this.pin()));
    const kept = recall("pinned");
    if (kept !== null && !this.#take(kept)) remember("pinned", null);
  }

  show({ steps, plan, dockerfile }: Outcome): void {
    this.#button.disabled = this.#pinned === null && (plan === null || dockerfile === null);
    this.#button.setAttribute("aria-pressed", String(this.#pinned !== null));
    setText(byId("pin-label"), this.#pinned ? "Unpin" : "Pin");
    const forecasts = steps.map(({ forecast }) => forecast).filter((one) => one !== null);
    this.#bar.hidden = this.#pinned === null || forecasts.length === 0;
    if (this.#bar.hidden || !this.#pinned) return;
    const again = forecasts.filter(({ cached }) => !cached).length;
    const summary =
      again === 0
        ? `All ${forecasts.length} steps are cached`
        : `${again} of ${forecasts.length} steps ${again === 1 ? "runs" : "run"} again`;
    if (this.#bar.dataset["summary"] === summary + this.#pinned.plan) return;
    this.#bar.dataset["summary"] = summary + this.#pinned.plan;
    this.#bar.replaceChildren(
      icon(again === 0 ? "check" : "again"),
      element("strong", { role: "status" }, summary),
      element(
        "span",
        { class: "faint" },
        "since ",
        element("code", {}, this.#pinned.plan.replace("sha256:", "").slice(0, 12)),
      ),
    );
  }

  /** Pins an earlier preview, or the preview of the current text. */
  async pin(earlier?: string): Promise<void> {
    this.#button.disabled = true;
    try {
      const preview = earlier ?? (await this.#listener.capture());
      if (!this.#take(preview)) throw new Error("it has no plan of an image");
      if (!remember("pinned", preview)) {
        notify({
          kind: "info",
          about: "pin",
          text: "Pinned until the page is closed: the browser has no room to keep it.",
        });
      }
    } catch (error) {
      notify({ kind: "error", about: "pin", text: `Nothing was pinned: ${reason(error)}` });
      this.#button.disabled = false;
    }
  }

  /** Unpins a text that turned out not to be a preview. */
  refuse(message: string): void {
    this.#unpin();
    notify({ kind: "error", about: "pin", text: `Nothing is pinned: ${message}` });
  }

  #unpin(): void {
    this.#pinned = null;
    remember("pinned", null);
    this.#listener.pinned(null);
  }

  /** Pins a text if it is a preview with a plan: a kept text may be of another version, or no preview at all. */
  #take(preview: string): boolean {
    try {
      const { plan, dockerfile } = JSON.parse(preview) as Record<string, unknown>;
      if (typeof plan !== "string" || typeof dockerfile !== "string") return false;
      this.#pinned = { plan, preview };
    } catch {
      return false;
    }
    this.#listener.pinned(preview);
    return true;
  }
}
