/** The name that the image will have, and where flows will be. */

import { byId, element } from "../dom";
import type { Outcome } from "../planner/protocol";

const CHOSEN = "chosen by the build";

/** How a build chooses the names that the spec leaves out, by default and otherwise. */
const BY_UUID =
  'naming = "uuid", the default: the build takes a new UUID for each name that the spec leaves out, so every build makes a new image.';
const NAMING: Record<string, string> = {
  flow: 'naming = "flow": the name is the only flow\'s, and the tag is the time of the build (UTC).',
  plan: 'naming = "plan": the tag is the plan digest. A plan that is built and pushed already is not built again.',
};

export class Image {
  readonly #panel = byId("panel-image");
  #shown = "";

  show({ content, image, flows, flowCount, naming, type, counts }: Outcome): void {
    if (content.view !== "image") return;
    const shown = JSON.stringify([image, flows, flowCount, naming, type, counts.error > 0]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const parts: Node[] = image
      ? reference(image, naming)
      : [
          element(
            "p",
            {},
            counts.error > 0 ? "There is no image while the spec has an error." : `A ${type} storage has no image.`,
          ),
        ];
    if (flows.length > 0) parts.push(element("h3", {}, "Flows"), table(flows));
    if (flowCount > flows.length)
      parts.push(element("p", { class: "rest" }, `and ${(flowCount - flows.length).toLocaleString("en")} more`));
    this.#panel.replaceChildren(element("div", { class: "sheet" }, ...parts));
  }
}

function reference(image: NonNullable<Outcome["image"]>, naming: Outcome["naming"]): Node[] {
  const { registry, name, tag } = image;
  const part = (value: string | null, what: string): Node =>
    value === null ? element("em", {}, `‹${what}›`) : element("b", { class: what }, value);
  const whole = element("p", { class: "reference", "data-testid": "reference" });
  if (registry !== null) whole.append(part(registry, "registry"), "/");
  whole.append(part(name, "name"), ":", part(tag, "tag"));
  const row = (term: string, value: string | null, otherwise: string, why: string): Node[] => [
    element("dt", {}, term),
    element(
      "dd",
      {},
      value === null ? element("em", {}, otherwise) : element("code", {}, value),
      element("span", { class: "faint" }, why),
    ),
  ];
  const list = element(
    "dl",
    {},
    ...row(
      "Registry",
      registry,
      "none",
      registry === null
        ? "The image stays with the daemon that builds it: write registry_url to push it."
        : "The image is pushed there.",
    ),
    ...row("Name", name, CHOSEN, name === null ? "Write image_name to choose it yourself." : ""),
    ...row("Tag", tag, CHOSEN, tag === null ? "Write image_tag to choose it yourself." : ""),
  );
  const note = NAMING[naming ?? ""] ?? (name === null || tag === null ? BY_UUID : null);
  return [whole, list, ...(note === null ? [] : [element("p", { class: "note" }, note)])];
}

function table(flows: Outcome["flows"]): HTMLElement {
  const rows = flows.map(([name, location]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, element("code", {}, location))),
  );
  const head = element("tr", {}, element("th", { scope: "col" }, "Flow"), element("th", { scope: "col" }, "Location"));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}
