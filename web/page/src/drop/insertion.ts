/** Where dropped flows and files go in the text of a spec. */

import { Places, type Place, type Range } from "../fields";
import type { Change, Insertion, Known } from "../planner/protocol";
import { entriesField, fileField, nothing, quoted, type Addition } from "./additions";
import { flowFields, isFlow, type Flow } from "./flows";
import { insertionIntoJson } from "./json";
import { named, sorted, stringAt, type Sorted } from "./named";

/** The changes that add everything, or replace size and digest of a flow or file whose name the spec already has. */
export function insertion(text: string, additions: Addition[], places: (text: string) => Place[]): Insertion {
  const list = places(text);
  const work = sorted(additions, named(text, list));
  if (text.trimStart().startsWith("{")) return insertionIntoJson(text, work);
  if (list.some(({ field }) => field === ""))
    return nothing("nothing was added, because the spec has a syntax error: fix it and try again");
  const result = new TomlInsertion(text, list, work).result;
  if (places(applied(text, result.changes)).some(({ field }) => field === "")) {
    return nothing(
      "nothing was added: no suitable place was found in the spec; add lines like " +
        additions
          .slice(0, 1)
          .map((one) => (isFlow(one) ? `[[flows]] ${flowFields(one).join(" ")}` : fileField(one))),
    );
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
  readonly #changes: Change[] = [];
  readonly result: Insertion;

  constructor(text: string, list: readonly Place[], { fresh, again, refused }: Sorted) {
    this.#text = text;
    this.#places = new Places(list);
    this.result = { ...nothing(...refused), changes: this.#changes };
    for (const { named, addition } of again) {
      if (named.kind === "file") this.#replaceFile(named.field, addition);
      else if (addition.content) this.#replaceFlow(named.field, addition.name, addition.content);
    }
    const flows = fresh.filter(isFlow);
    const files = fresh.filter((one) => !isFlow(one));
    if (files.length > 0) this.#addFiles(files.map(fileField));
    if (flows.length > 0) this.#addFlows(flows);
    this.result.added = { flows: flows.length, files: files.length };
    this.#changes.sort((a, b) => a.from - b.from);
  }

  #replaceFlow(field: string, name: string, { size, sha256 }: Known): void {
    if (this.#places.has(`${field}.object`)) {
      const message = `${name} is not what is stored: your Python pickles an object of it. Add the pickle instead`;
      this.result.refused.push(message);
      return;
    }
    const fields: [string, string][] = [
      ["size", String(size)],
      ["sha256", quoted(sha256)],
    ];
    const missing: string[] = [];
    for (const [key, value] of fields) {
      const place = this.#places.own(`${field}.${key}`);
      if (place) this.#changes.push({ ...place, insert: `${key} = ${value}` });
      else missing.push(`${key} = ${value}`);
    }
    this.#insertBeside(`${field}.path`, missing, this.#isInline(field));
    this.result.replaced.flows += 1;
  }

  #replaceFile(field: string, file: Addition): void {
    const entries = this.#places.own(`${field}.entries`);
    const place = this.#places.own(field);
    const value = place && stringAt(this.#text, place);
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
    this.result.replaced.files += 1;
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
      if (this.#isHeader(files)) return this.#addToTable(files, extent, fields);
      if (this.#text[files.to - 1] === "}") return this.#insertInto("storage.files", files, fields);
      const prefix = this.#text.slice(this.#lineStart(files.from), files.from) + "files.";
      return this.#insertLines(
        this.#endOfKeys(extent),
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
      return this.#insertInto("storage", storage, [`files = { ${fields.join(", ")} }`]);
    this.#insertLines(
      this.#endOfKeys(whole),
      fields.map((field) => `storage.files.${field}`),
    );
  }

  /** Where the last key of a table ends that comes before all headers in the table. */
  #endOfKeys({ from, to }: Range): number {
    const within = this.#places.all().filter((one) => one.from >= from && one.to <= to);
    const header = Math.min(...within.filter((one) => this.#isHeader(one)).map((one) => one.from));
    return Math.max(...within.filter((one) => one.to < header).map((one) => one.to));
  }

  /** Adds fields to [storage.files] before the headers in it: after such a header, they would belong to its table. */
  #addToTable(files: Range, extent: Range, fields: string[]): void {
    const tables = this.#places.inside("storage.files").filter((one) => this.#isHeader(one));
    if (tables.length === 0) return this.#insertLines(extent.to, fields);
    const first = Math.min(...tables.map(({ from }) => this.#lineStart(from)));
    // If its place is in the header of the first table in it, [storage.files] has no header of its own.
    if (this.#lineStart(files.from) !== first) return this.#insertLines(files.to, fields);
    this.#insert(first, ["[storage.files]", ...fields, "", ""].join("\n"));
  }

  #addFlows(flows: Flow[]): void {
    const place = this.#places.own("flows");
    if (place && !this.#isHeader(place) && this.#text[place.to - 1] === "]") {
      return this.#insertInto(
        "flows",
        place,
        flows.map((flow) => `{ ${flowFields(flow).join(", ")} }`),
      );
    }
    const lines = flows.flatMap((flow) => ["", "[[flows]]", ...flowFields(flow)]);
    // The text may end with comments: they stay above the new flows.
    this.#insertLines(this.#text.trimEnd().length, this.#text.trim() === "" ? lines.slice(1) : lines);
  }

  /** Inserts behind the last value of an inline table or array, since a comment may precede the closing bracket. */
  #insertInto(field: string, { from, to }: Range, values: string[]): void {
    const last = this.#places.end(field);
    if (last !== undefined) return this.#insert(last, `, ${values.join(", ")}`);
    const opening = from + this.#text.slice(from, to).search(/[[{]/) + 1;
    this.#insert(opening, ` ${values.join(", ")}${opening === to - 1 ? " " : ""}`);
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
}
