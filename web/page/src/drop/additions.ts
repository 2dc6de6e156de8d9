/** What a drop adds to a spec, and how that is written in TOML. */

export interface Entry {
  /** Relative to what was dropped; "" is that itself. */
  path: string;
  mode: number;
  /** Directories have neither size nor digest. */
  size?: number;
  sha256?: string;
}

export type Addition =
  { kind: "flow"; name: string; size: number; sha256: string } | { kind: "file"; name: string; entries: Entry[] };

export const FILE_MODE = 0o644;
export const DIRECTORY_MODE = 0o755;

/** A browser does not say where a file was: this stands for the part that only the user knows. */
export function source(name: string): string {
  return `/path/to/${name}`;
}

export function destination(name: string): string {
  return `/opt/${name}`;
}

export function lastPart(path: string): string {
  return path.split(/[/\\]/).pop() ?? path;
}

/** A .py is a script by default and everything else a pickle; the core tells by the exact ending. */
export function format(name: string): "script" | null {
  return /\.py$/i.test(name) && !name.endsWith(".py") ? "script" : null;
}

/** A basic string; TOML's escapes are JSON's, but DEL needs one too. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}

export function flowFields(flow: Addition & { kind: "flow" }): string[] {
  const shape = format(flow.name);
  return [
    `path = ${quoted(flow.name)}`,
    ...(shape ? [`format = ${quoted(shape)}`] : []),
    `size = ${flow.size}`,
    `sha256 = ${quoted(flow.sha256)}`,
  ];
}

export function fileField(file: Addition & { kind: "file" }): string {
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
