/** Where dropped flows and files go in the text of a spec. */

import { Places, type Place, type Range } from "../fields";
import type { Change, Insertion } from "../planner/protocol";
import { entriesField, fileField, flowFields, lastPart, quoted, source, type Addition } from "./additions";
import { insertionIntoJson } from "./json";

type Flow = Addition & { kind: "flow" };
type File = Addition & { kind: "file" };

/** The changes that add everything, or replace size and digest where a flow or file of that name is there already. */
export function insertion(text: string, additions: Addition[], places: (text: string) => Place[]): Insertion {
  if (text.trimStart().startsWith("{")) return insertionIntoJson(text, additions);
  const list = places(text);
  const result = new TomlInsertion(text, list, additions).result;
  if (list.some(({ field }) => field === "")) {
    const refused = "nothing was added, because the spec has a syntax error: mend it and drop again";
    return { changes: [], added: 0, replaced: 0, refused: [refused] };
  }
  if (places(applied(text, result.changes)).some(({ field }) => field === "")) {
    const refused =
      "nothing was added, because the spec has no place for it that is easily found; it takes lines like " +
      additions
        .slice(0, 1)
        .map((one) => (one.kind === "flow" ? `[[flows]] ${flowFields(one).join(" ")}` : fileField(one)));
    return { changes: [], added: 0, replaced: 0, refused: [refused] };
  }
  return result;
}

function applied(text: string, changes: readonly Change[]): string {
  let at = 0;
  let result = "";
  for (const { from, to, insert } of changes) {
    result += text.slice(at, from) + insert;
    at = to;
  }
  return result + text.slice(at);
}

class TomlInsertion {
  readonly #text: string;
  readonly #places: Places;
  readonly #flows = new Map<string, string>();
  readonly #files = new Map<string, string>();
  readonly #changes: Change[] = [];
  readonly result: Insertion = { changes: this.#changes, added: 0, replaced: 0, refused: [] };

  constructor(text: string, list: readonly Place[], additions: readonly Addition[]) {
    this.#text = text;
    this.#places = new Places(list);
    for (const { field } of list) this.#remember(field);
    const flows: Flow[] = [];
    const files: File[] = [];
    for (const one of additions) {
      if (one.kind === "flow") {
        const known = this.#flows.get(one.name);
        if (known === undefined) flows.push(one);
        else this.#replaceFlow(known, one);
      } else {
        const known = this.#files.get(one.name);
        if (known === undefined) files.push(one);
        else this.#replaceFile(known, one);
        this.#files.set(one.name, `storage.files[${quoted(source(one.name))}]`);
      }
    }
    if (files.length > 0) this.#addFiles(files.map(fileField));
    if (flows.length > 0) this.#addFlows(flows);
    this.result.added = flows.length + files.length;
    this.#changes.sort((a, b) => a.from - b.from);
  }

  /** Flows and files by the names that they have in a folder. */
  #remember(field: string): void {
    if (/^flows\[\d+\]\.path$/.test(field)) {
      const path = this.#string(field);
      if (path !== undefined) this.#flows.set(lastPart(path), field.slice(0, -".path".length));
      return;
    }
    const key = /^storage\.files\[("(?:[^"\\]|\\.)*")\]$/.exec(field)?.[1];
    if (key === undefined) return;
    const path = unquoted(key);
    if (path !== undefined) this.#files.set(lastPart(path.replace(/[/\\]+$/, "")), field);
  }

  #replaceFlow(field: string, flow: Flow): void {
    if (this.#places.has(`${field}.object`)) {
      const message = `${flow.name} is not what is stored: your Python pickles an object of it. Drop the pickle instead`;
      this.result.refused.push(message);
      return;
    }
    const fields: [string, string][] = [
      ["size", String(flow.size)],
      ["sha256", quoted(flow.sha256)],
    ];
    const missing: string[] = [];
    for (const [key, value] of fields) {
      const place = this.#places.own(`${field}.${key}`);
      if (place) this.#changes.push({ ...place, insert: `${key} = ${value}` });
      else missing.push(`${key} = ${value}`);
    }
    this.#insertBeside(`${field}.path`, missing, this.#isInline(field));
    this.result.replaced += 1;
  }

  #replaceFile(field: string, file: File): void {
    const entries = this.#places.own(`${field}.entries`);
    const place = this.#places.own(field);
    const value = this.#string(field);
    if (entries) {
      this.#changes.push({ ...entries, insert: entriesField(file.entries) });
    } else if (this.#places.has(`${field}.destination`)) {
      this.#insertBeside(`${field}.destination`, [entriesField(file.entries)], this.#isInline(field));
    } else if (place && value !== undefined) {
      const key =
        /^(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^=]*?)\s*=\s*/.exec(this.#text.slice(place.from, place.to))?.[0] ?? "";
      const table = `{ destination = ${quoted(value)}, ${entriesField(file.entries)} }`;
      this.#changes.push({ from: place.from + key.length, to: place.to, insert: table });
    } else {
      this.result.refused.push(`${file.name} is in the spec already, but not in a way that can be replaced`);
      return;
    }
    this.result.replaced += 1;
  }

  #insertBeside(field: string, fields: string[], inline: boolean): void {
    const place = this.#places.own(field);
    if (!place || fields.length === 0) return;
    const separator = inline ? ", " : "\n";
    this.#insert(place.to, fields.map((one) => separator + one).join(""));
  }

  #addFiles(fields: string[]): void {
    const files = this.#places.own("storage.files");
    const extent = this.#places.extent("storage.files");
    const storage = this.#places.own("storage");
    const whole = this.#places.extent("storage");
    if (files && extent) {
      if (this.#isHeader(files)) return this.#insertLines(extent.to, fields);
      if (this.#text[files.to - 1] === "}") return this.#insertInto(files.to - 1, fields);
      const prefix = this.#text.slice(this.#lineStart(files.from), files.from) + "files.";
      return this.#insertLines(
        extent.to,
        fields.map((field) => prefix + field),
      );
    }
    if (!storage || !whole) {
      const table = ["[storage]", 'type = "docker"', "", "[storage.files]", ...fields, ""];
      const first = this.#places.extent("flows");
      return this.#insert(
        first ? this.#lineStart(first.from) : this.#text.length,
        table.map((line) => `${line}\n`).join(""),
      );
    }
    if (this.#isHeader(storage)) return this.#insertLines(whole.to, ["", "[storage.files]", ...fields]);
    if (this.#text[storage.to - 1] === "}")
      return this.#insertInto(storage.to - 1, [`files = { ${fields.join(", ")} }`]);
    this.#insertLines(
      whole.to,
      fields.map((field) => `storage.files.${field}`),
    );
  }

  #addFlows(flows: Flow[]): void {
    const place = this.#places.own("flows");
    if (place && !this.#isHeader(place) && this.#text[place.to - 1] === "]") {
      return this.#insertInto(
        place.to - 1,
        flows.map((flow) => `{ ${flowFields(flow).join(", ")} }`),
      );
    }
    const lines = flows.flatMap((flow) => ["", "[[flows]]", ...flowFields(flow)]);
    // What is at the very end of the text need not be a field: comments stay above.
    this.#insertLines(this.#text.trimEnd().length, this.#text.trim() === "" ? lines.slice(1) : lines);
  }

  /** Before the closing bracket of an inline table or array. */
  #insertInto(closing: number, values: string[]): void {
    const before = this.#text.slice(0, closing).trimEnd();
    const first = /[[{,]$/.test(before);
    this.#insert(before.length, (first ? " " : ", ") + values.join(", ") + (before.length === closing ? " " : ""));
  }

  #insertLines(after: number, lines: string[]): void {
    const end = this.#text.indexOf("\n", after);
    if (end < 0) this.#insert(this.#text.length, `${this.#text === "" ? "" : "\n"}${lines.join("\n")}\n`);
    else this.#insert(end + 1, lines.map((line) => `${line}\n`).join(""));
  }

  #insert(at: number, insert: string): void {
    this.#changes.push({ from: at, to: at, insert });
  }

  #lineStart(offset: number): number {
    return this.#text.lastIndexOf("\n", offset - 1) + 1;
  }

  #isHeader({ from }: Range): boolean {
    return /^\s*\[/.test(this.#text.slice(this.#lineStart(from), from + 1));
  }

  #isInline(field: string): boolean {
    const place = this.#places.own(field);
    return place !== undefined && (this.#text[place.from] === "{" || !this.#isHeader(place));
  }

  /** The string that a field is. */
  #string(field: string): string | undefined {
    const place = this.#places.own(field);
    const value = place && /=\s*("(?:[^"\\]|\\.)*"|'[^']*')$/.exec(this.#text.slice(place.from, place.to))?.[1];
    return value === undefined ? undefined : unquoted(value);
  }
}

function unquoted(literal: string): string | undefined {
  if (literal.startsWith("'")) return literal.slice(1, -1);
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
