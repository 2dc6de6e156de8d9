/** Reduces a preview to what the page shows, so that a spec of thousands of flows costs the page's own thread little. */

import {
  FlowholdError,
  check,
  places,
  preview,
  resolve,
  serialize,
  type BuildPlan,
  type Diagnostic,
  type Options,
  type Preview,
} from "flowhold";
import { stringAt } from "../drop/named";
import { Places, parent, type Range } from "../fields";
import type { Content, LineFields, Outcome, PlanRequest, Problem, Step } from "./protocol";
import { rows } from "./tree";

/** Lists show this many entries, and count the rest. */
export const SHOWN = 200;

/** The code for a flow or file that the spec names, but that is not here. */
const UNSEEN = "unseen-source";

/** The codes for policies that did not judge. */
const UNJUDGED = "unjudged-plan";
const POLICY_FAILED = "policy-failed";

/** The code for a text that Flowhold wrote, but that is not a spec. */
export const NOT_A_SPEC = "not-a-spec";

/** The code for a text that a plan can't be compared with. */
export const INVALID_PREVIEW = "invalid-preview";

export function outcome(request: PlanRequest, options: Options): Outcome {
  const begin = performance.now();
  const { revision, text } = request;
  const result = planned(text, options);
  const where = new Places(places(text));
  const flows = Object.entries(result.flows);
  const counted = counts(result);
  return {
    revision,
    plan: result.plan,
    whyNoPlan: result.plan === null ? whyNoPlan(result) : "",
    type: result.image === null && counted.error === 0 ? storageType(text) : "",
    naming: naming(text, where),
    image: result.image,
    dockerfile: result.dockerfile,
    steps: steps(result),
    lineFields: lineFields(result),
    spans: spans(result, where),
    around: around(result, where),
    flows: flows.slice(0, SHOWN),
    flowCount: flows.length,
    problems: problems(result, text, where),
    counts: counted,
    context: totals(result),
    content: content(request, result, options),
    milliseconds: performance.now() - begin,
  };
}

/** Previews a text. An error that prevents any plan, such as a file that can't be loaded, becomes a problem. */
function planned(text: string, options: Options): Preview {
  try {
    return preview(text, options);
  } catch (error) {
    if (!(error instanceof FlowholdError) || error.code === INVALID_PREVIEW) throw error;
    const { code, field, message, help } = error;
    return unplanned({ code, severity: "error", field: field ?? "", message, help });
  }
}

function unplanned(why: Diagnostic): Preview {
  const diagnostics = [why];
  return { plan: null, image: null, dockerfile: null, sourceMap: [], steps: [], context: [], flows: {}, diagnostics };
}

function whyNoPlan({ diagnostics }: Preview): string {
  const cause =
    diagnostics.find(({ severity }) => severity === "error") ??
    diagnostics.find(({ code }) => code === UNSEEN) ??
    diagnostics.find(({ code }) => code === UNJUDGED);
  if (!cause) return "something that it is made of is missing";
  const help = advice(cause);
  return help === null ? cause.message : `${cause.message}: ${help}`;
}

/** The help for a page, where bytes and policies are given in another way than on a command line. */
function advice({ code, help, policy }: Diagnostic): string | null {
  // A policy chooses the codes of its verdicts itself.
  if (policy !== undefined) return help;
  switch (code) {
    case UNSEEN:
      return "add the file to the page, and its size and digest are filled in";
    case UNJUDGED:
      return "this page has no policy of that name; the command line reads it from its file";
    case POLICY_FAILED:
      return help ?? "tell those who host this page; a plan that was not judged is not final";
    default:
      return help;
  }
}

/** The type of storage, from what policies are told: while bytes are not here, there is no resolved spec to read. */
function storageType(text: string): string {
  let type = "";
  const listen = ({ storage }: BuildPlan): [] => {
    type = storage;
    return [];
  };
  check(text, { policies: { listen } });
  return type;
}

function naming(text: string, where: Places): string | null {
  const place = where.own("storage.naming");
  return (place && stringAt(text, place)) ?? null;
}

function steps(result: Preview): Step[] {
  const forecasts = new Map(result.forecast?.map((one) => [one.line, one]));
  return result.steps.map(({ line, lines, why }) => {
    const found = forecasts.get(line);
    return { line, lines, why, forecast: found ? { cached: found.cached, reason: found.reason } : null };
  });
}

function lineFields({ sourceMap }: Preview): LineFields[] {
  const lines: LineFields[] = [];
  for (const { line, field } of sourceMap) {
    const fields = (lines[line] ??= { fields: [], count: 0 });
    fields.count += 1;
    if (fields.fields.length < 3) fields.fields.push(field);
  }
  return Array.from(lines, (fields) => fields ?? { fields: [], count: 0 });
}

function spans({ sourceMap }: Preview, where: Places): Uint32Array {
  const list: number[] = [];
  for (const { line, field } of sourceMap) {
    // A field that isn't in the text is a default: the table that it belongs to made the line.
    const range = where.has(field) ? where.extent(field) : where.nearest(field);
    if (range) list.push(range.from, range.to, line);
  }
  return Uint32Array.from(list);
}

/** The lines that each field made by itself or by the fields in it, as a list does by its items; `storage` has none. */
function around({ sourceMap }: Preview, where: Places): Uint32Array {
  const lines = new Map<string, Set<number>>();
  for (const { line, field } of sourceMap) {
    for (let at: string | null = field; at && at !== "storage" && !(at === "flows" && field !== at); at = parent(at)) {
      const known = lines.get(at);
      if (known?.has(line)) continue;
      if (known) known.add(line);
      else lines.set(at, new Set([line]));
    }
  }
  const list: number[] = [];
  for (const [field, made] of lines) {
    const range = where.has(field) ? where.extent(field) : where.nearest(field);
    if (range) for (const line of made) list.push(range.from, range.to, line);
  }
  return Uint32Array.from(list);
}

function problems({ diagnostics }: Preview, text: string, where: Places): Problem[] {
  const weight = { error: 0, warning: 1, info: 2 };
  const worst = [...diagnostics].sort((a, b) => weight[a.severity] - weight[b.severity]).slice(0, SHOWN);
  const starts = lineStarts(text);
  return worst.map((diagnostic) => {
    const { severity, message, code, field, policy } = diagnostic;
    const help = advice(diagnostic);
    const range = where.nearest(field) ?? lineRange(text, starts, diagnostic.line ?? 1);
    return { severity, message, help, code, field, policy: policy ?? null, ...range, line: lineAt(starts, range.from) };
  });
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function lineRange(text: string, starts: number[], line: number): Range {
  const from = starts[Math.min(line, starts.length) - 1] ?? 0;
  const end = text.indexOf("\n", from);
  return { from, to: end < 0 ? text.length : end };
}

function lineAt(starts: number[], offset: number): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low + 1;
}

function counts({ diagnostics }: Preview): Outcome["counts"] {
  const counted = { error: 0, warning: 0, info: 0 };
  for (const { severity } of diagnostics) counted[severity] += 1;
  return counted;
}

function totals({ context }: Preview): Outcome["context"] {
  const sum = { files: 0, bytes: 0, unknown: 0 };
  for (const { size, sha256, link } of context) {
    if (sha256 === "" && link === undefined) continue;
    sum.files += 1;
    if (size === null) sum.unknown += 1;
    else sum.bytes += size;
  }
  return sum;
}

function content({ view, text, folds }: PlanRequest, result: Preview, options: Options): Content {
  if (view === "context") return { view, rows: rows(result.context, folds) };
  if (view === "dockerfile" || view === "image") return { view };
  if (result.diagnostics[0]?.code === NOT_A_SPEC) return { view, json: null, message: whyNoPlan(result) };
  try {
    return { view, json: view === "spec" ? resolve(text, options) : serialize(text, options), message: "" };
  } catch (error) {
    if (!(error instanceof FlowholdError)) throw error;
    return { view, json: null, message: error.help ? `${error.message}: ${error.help}` : error.message };
  }
}
