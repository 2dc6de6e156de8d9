/** Which dropped files are flows, and how to write them in TOML. The package tells flows by the ending of the name. */

import { FlowholdError, resolve } from "flowhold";
import { quoted, type Addition } from "./additions";
import type { Known } from "../planner/protocol";

export type Flow = Addition & { content: Known };

/** Whether an addition that the spec does not have yet is a flow, by its name. */
export function isFlow(addition: Addition): addition is Flow {
  const ending = endingOf(addition.name);
  return addition.content !== null && (byEnding(ending) ?? byEnding(ending.toLowerCase())) !== null;
}

/** The format if the spec has to state it, else null: the package knows no endings in capitals. */
export function format(name: string): string | null {
  const ending = endingOf(name);
  return byEnding(ending) === null ? byEnding(ending.toLowerCase()) : null;
}

export function flowFields({ name, content }: Flow): string[] {
  const shape = format(name);
  return [
    `path = ${quoted(name)}`,
    ...(shape ? [`format = ${quoted(shape)}`] : []),
    `size = ${content.size}`,
    `sha256 = ${quoted(content.sha256)}`,
  ];
}

function endingOf(name: string): string {
  return name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : "";
}

const formats = new Map<string, string | null>();

/** The format of a flow with this ending; null if only its bytes could tell. */
function byEnding(ending: string): string | null {
  let format = formats.get(ending);
  if (format === undefined) formats.set(ending, (format = ask(ending)));
  return format;
}

function ask(ending: string): string | null {
  const path = `flow.${ending}`;
  // None of the flow's bytes are here, so only the ending tells.
  const files = { [path]: { size: 0, sha256: "0".repeat(64) } };
  try {
    const spec = JSON.parse(resolve({ storage: { type: "memory" }, flows: [{ path }] }, { files })) as {
      flows: { format: string }[];
    };
    return spec.flows[0]?.format ?? null;
  } catch (error) {
    if (!(error instanceof FlowholdError)) throw error;
    return null;
  }
}
