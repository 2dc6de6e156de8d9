/** Shows the plan digest, the command that builds exactly that plan, and the status. */

import { byId, element, setText } from "../dom";
import type { Outcome } from "../planner/protocol";
import { bytes, count, visible } from "../wording";
import { tally } from "./problems";

export class Plan {
  show(outcome: Outcome): void {
    const { plan, whyNoPlan, counts, dockerfile, steps, context, milliseconds } = outcome;
    this.#digest(plan, whyNoPlan);
    const failed = plan === null;
    const made =
      counts.error > 0
        ? ""
        : dockerfile === null
          ? count(outcome.flowCount, "flow")
          : `${count(steps.length, "step")} · ${count(context.files, "file")} · ${bytes(context.bytes)}`;
    setText(byId("summary"), made);
    setText(byId("status"), failed ? `${tally(counts)}. No plan yet.` : `Planned. ${tally(counts)}.`);
    setText(byId("timing"), `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`);
    this.#enable(dockerfile !== null);
  }

  /** Shows that there is no plan of the current spec. */
  unknown(why: string): void {
    this.#digest(null, why);
    this.#enable(false);
    setText(byId("summary"), "");
    setText(byId("status"), `There is no plan: ${why}.`);
  }

  #digest(plan: string | null, why: string): void {
    const missing = plan === null;
    setText(byId("plan"), plan ?? "none yet");
    byId<HTMLButtonElement>("copy-plan").disabled = missing;
    byId("copy-plan").title = plan ?? `No plan: ${why}`;
    byId("command").hidden = missing;
    byId("copy-command").hidden = missing;
    byId("command-why").hidden = !missing;
    if (missing) byId("command-why").replaceChildren(element("strong", {}, "No plan yet: "), visible(why));
    else setText(byId("command"), command(plan));
  }

  #enable(dockerfile: boolean): void {
    for (const id of ["copy-dockerfile", "download-dockerfile", "download-context"]) {
      byId<HTMLButtonElement>(id).disabled = !dockerfile;
    }
  }
}

export function command(plan: string): string {
  return `flowhold build --expect-plan ${plan}`;
}
