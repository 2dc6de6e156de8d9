/** Light or dark: the system decides until the user does. `theme.js` applies the choice before anything is painted. */

import { byId } from "./dom";
import { recall, remember } from "./remembered";

export function theme(): void {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = (): boolean => {
    const chosen = document.documentElement.dataset["theme"];
    return chosen === undefined ? system.matches : chosen === "dark";
  };
  const show = (): void => button.setAttribute("aria-pressed", String(dark()));
  button.addEventListener("click", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    remember("theme", next);
    show();
  });
  system.addEventListener("change", show);
  window.addEventListener("storage", ({ key }) => {
    const chosen = recall("theme");
    if (key === "flowhold.theme" && (chosen === "light" || chosen === "dark"))
      document.documentElement.dataset["theme"] = chosen;
    show();
  });
  show();
}
