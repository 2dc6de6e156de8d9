/** What a drop adds to a spec, and how that is written in TOML. */

import type { Insertion, Known } from "../planner/protocol";

export interface Entry extends Partial<Known> {
  /** Relative to the dropped file or directory; "" is the file or directory itself. */
  path: string;
  mode: number;
}

export interface Addition {
  name: string;
  /** The file or directory itself, and everything below it. Directories have neither size nor digest. */
  entries: Entry[];
  /** Size and digest of a file; null for a directory. */
  content: Known | null;
}

/** The names of spec files. A text with any other name may be data. */
export const SPEC = /^flowhold\.(toml|json)$/i;

export const FILE_MODE = 0o644;
export const DIRECTORY_MODE = 0o755;

/** Stands for the part of a path that only the user knows: a browser does not say where a file was. */
export const SOMEWHERE = "/path/to";

export function nothing(...refused: string[]): Insertion {
  return { changes: [], added: { flows: 0, files: 0 }, replaced: { flows: 0, files: 0 }, refused };
}

export function total({ flows, files }: Insertion["added"]): number {
  return flows + files;
}

export function source(name: string): string {
  return `${SOMEWHERE}/${name}`;
}

export function destination(name: string): string {
  return `/opt/${name}`;
}

/** A basic string; TOML's escapes are JSON's, but DEL needs one too. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}

export function fileField(file: Addition): string {
  const value = `{ destination = ${quoted(destination(file.name))}, ${entriesField(file.entries)} }`;
  return `${quoted(source(file.name))} = ${value}`;
}

/** An inline table has to be one line, but an array in it may have several. */
export function entriesField(entries: readonly Entry[]): string {
  const list = entries.map(entry);
  return list.length === 1 ? `entries = [${list[0]}]` : `entries = [\n  ${list.join(",\n  ")},\n]`;
}

function entry({ path, mode, size, sha256 }: Entry): string {
  const content = sha256 === undefined ? "" : `, size = ${size}, sha256 = ${quoted(sha256)}`;
  return `{ path = ${quoted(path)}, mode = ${mode}${content} }`;
}
