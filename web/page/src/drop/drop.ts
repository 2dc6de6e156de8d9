/** Makes flows and files that are dropped onto the page, or chosen, part of the spec. */

import { byId, setText } from "../dom";
import type { Insertion, Recognised } from "../planner/protocol";
import { dismiss, notify, type Notice } from "../view/notices";
import { bytes, count, reason } from "../wording";
import { DIRECTORY_MODE, FILE_MODE, SOMEWHERE, SPEC, nothing, total, type Addition, type Entry } from "./additions";
import { fromInput, fromTransfer, type Collection, type Picked } from "./collect";
import type { Contents } from "./contents";
import type { Hashed } from "./hash-worker";
import { hashFiles } from "./hashing";

const MAYBE_SPEC = /\.(toml|json)$/i;
const MOST_SPEC_BYTES = 1_000_000;
/** Previews and storages are longer than specs: this is three times the preview of MOST_FILES files. */
const MOST_BYTES = 16 << 20;
const MOST_REFUSED = 5;
const MODES = `Browsers don't tell file modes: ${FILE_MODE.toString(8)} is assumed, and ${DIRECTORY_MODE.toString(8)} for directories.`;

export interface Target {
  /** Shows the part of the page that says what becomes of a drop. */
  show(): void;
  /** Adds to the current text of the spec. */
  insert(additions: Addition[]): Promise<Insertion>;
  recognise(text: string, name: string): Promise<Recognised>;
  replace(text: string): void;
  /** Compares plans with an earlier preview. */
  pin(preview: string): void;
}

export class Drop {
  readonly #target: Target;
  readonly #contents: Contents;
  #abort: AbortController | null = null;

  constructor(target: Target, contents: Contents) {
    this.#target = target;
    this.#contents = contents;
    this.#listen();
    for (const id of ["choose-files", "choose-directory"]) {
      const input = byId<HTMLInputElement>(id);
      input.addEventListener("change", () => {
        const files = [...(input.files ?? [])];
        input.value = "";
        void this.#take(() => Promise.resolve(fromInput(files)));
      });
    }
    byId("cancel").addEventListener("click", () => this.#abort?.abort());
  }

  /** Listens in the capture phase: otherwise the editor would insert the text of files. Dropped text is left to it. */
  #listen(): void {
    const zone = byId("dropzone");
    const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const on = (type: "dragenter" | "dragover" | "dragleave" | "drop", act: (event: DragEvent) => void): void =>
      window.addEventListener(
        type,
        (event) => {
          if (!carriesFiles(event)) return;
          event.preventDefault();
          event.stopPropagation();
          act(event);
        },
        { capture: true },
      );
    on("dragenter", () => (zone.hidden = false));
    on("dragover", (event) => {
      zone.hidden = false;
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    });
    on("dragleave", (event) => {
      if (event.relatedTarget === null) zone.hidden = true;
    });
    on("drop", ({ dataTransfer }) => {
      zone.hidden = true;
      if (dataTransfer)
        void this.#take((signal) =>
          fromTransfer(dataTransfer, (found) => show(`Listing: ${count(found, "file")} so far`, null), signal),
        );
    });
  }

  async #take(collect: (signal: AbortSignal) => Promise<Collection>): Promise<void> {
    this.#target.show();
    if (this.#abort) return refuse("another drop is still being read: wait for it, or cancel it");
    const abort = new AbortController();
    this.#abort = abort;
    dismiss("drop");
    try {
      const { picked, refused, notes } = await collect(abort.signal);
      const [only] = picked;
      if (only && picked.length === 1 && (await this.#open(only, abort.signal))) return;
      if (picked.length > 0 || refused.length > 0) await this.#add(picked, refused, notes, abort.signal);
      else refuse("nothing was dropped that a browser can read");
    } catch (error) {
      if (abort.signal.aborted) tell("Cancelled: nothing was added.");
      else refuse(reason(error));
    } finally {
      this.#abort = null;
      byId("dropping").hidden = true;
    }
  }

  /** Opens a text for the page itself, and returns whether it was one. Other TOML and JSON files may be data. */
  async #open({ name, directory, files: [first] }: Picked, signal: AbortSignal): Promise<boolean> {
    if (directory || !first || !MAYBE_SPEC.test(name)) return false;
    const isSpec = SPEC.test(name);
    // The user is shown this, since the planner may be busy with something else.
    show(`Reading ${name}`, null);
    const reading = textOf(first.file);
    const text = await (isSpec ? reading : reading.catch(() => null));
    if (text === null) return false;
    const kind = await this.#target.recognise(text, name);
    signal.throwIfAborted();
    if (kind === "storage") {
      refuse(`${name} is a serialized storage, not a spec: flowhold run, ls and get take it with --storage`);
    } else if (kind === "preview") {
      tell(`${name} is a preview, not a spec: pinned, it says which steps of this spec run again.`, {
        label: "Pin it",
        run: () => (dismiss("drop"), this.#target.pin(text)),
      });
    } else if (kind === "spec" && first.file.size < MOST_SPEC_BYTES) {
      this.#target.replace(text);
      tell(`${name} is the spec now. Undo brings the last one back.`);
    } else if (isSpec) throw tooLarge(first.file);
    else return false;
    return true;
  }

  async #add(picked: Picked[], refused: string[], notes: string[], signal: AbortSignal): Promise<void> {
    const files = picked.flatMap((one) => one.files.map(({ file }) => file));
    const all = files.reduce((sum, { size }) => sum + size, 0);
    show(`Reading ${count(files.length, "file")}`, 0);
    const hashed = await hashFiles(
      files,
      (at) => {
        const which =
          files.length === 1 ? at.name : `${at.files.toLocaleString("en")} of ${count(files.length, "file")}`;
        show(`${which} · ${bytes(at.bytes)} of ${bytes(all)}`, all === 0 ? at.files / files.length : at.bytes / all);
      },
      signal,
    );
    let at = 0;
    const additions = picked.flatMap((one) => {
      const results = hashed.slice(at, (at += one.files.length));
      return this.#addition(one, results, refused);
    });
    if (additions.length === 0) return report(nothing(...refused), notes);
    show("Adding to the spec", 1);
    const inserted = await this.#target.insert(additions);
    report(
      { ...inserted, refused: [...refused, ...inserted.refused] },
      notes,
      additions.length === 1 ? additions[0]?.name : undefined,
    );
  }

  #addition(picked: Picked, hashed: Hashed[], refused: string[]): Addition[] {
    const { name, directory, files, directories } = picked;
    let { incomplete } = picked;
    const entries: Entry[] = directory ? ["", ...directories].map((path) => ({ path, mode: DIRECTORY_MODE })) : [];
    let content: Addition["content"] = null;
    for (const [index, { path, file }] of files.entries()) {
      const result = hashed[index];
      if (!result || "error" in result) {
        refused.push(`${directory ? `${name}/${path}` : name} can't be read: ${result?.error ?? "no answer"}`);
        incomplete = true;
        continue;
      }
      this.#contents.add(result.sha256, file);
      entries.push({ path, mode: FILE_MODE, ...result });
      if (!directory) content = result;
    }
    if (incomplete) return [];
    entries.sort((a, b) => byCodePoint(a.path, b.path));
    return [{ name, entries, content }];
  }
}

/** Compares paths by their UTF-8, as the host does. */
function byCodePoint(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return (a.codePointAt(at) ?? -1) - (b.codePointAt(at) ?? -1);
}

async function textOf(file: File): Promise<string> {
  const { name, size } = file;
  if (size > MOST_BYTES) throw tooLarge(file);
  const content = await file.arrayBuffer().catch((error: unknown) => {
    throw new Error(`${name} can't be read: ${reason(error)}`);
  });
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    text = "\0";
  }
  if (text.includes("\0")) throw new Error(`${name} is not read as a spec: it is not text`);
  // The planner is not asked about other large data: everything that Flowhold writes has "flows".
  if (size >= MOST_SPEC_BYTES && !text.includes('"flows"')) throw tooLarge(file);
  return text;
}

function tooLarge({ name, size }: File): Error {
  return new Error(`${name} is not read as a spec: it has ${bytes(size)}, and a spec has less than 1 MB`);
}

function show(text: string, done: number | null): void {
  byId("dropping").hidden = false;
  setText(byId("dropping-text"), text);
  const bar = byId<HTMLProgressElement>("dropping-bar");
  if (done === null) bar.removeAttribute("value");
  else bar.value = done;
}

function report({ added, replaced, refused }: Insertion, unseen: string[], only?: string): void {
  const done: string[] = [];
  if (total(added) > 0) done.push(`${only ?? total(added).toLocaleString("en")} added`);
  if (total(replaced) > 0) done.push(`${only ?? total(replaced).toLocaleString("en")} brought up to date`);
  const notes: string[] = [];
  if (added.files > 0) notes.push(`Replace ${SOMEWHERE} with the real path.`);
  if (added.files + replaced.files > 0) notes.push(MODES, ...unseen);
  if (refused.length === 0) {
    return tell([`${done.join(", ")}.`, ...notes, "Undo takes it back."].join(" "));
  }
  const rest = refused.length - MOST_REFUSED;
  const all = [
    ...refused.slice(0, MOST_REFUSED),
    ...(rest > 0 ? [`and ${rest.toLocaleString("en")} more`] : []),
    ...done,
  ];
  refuse(notes.length === 0 ? all.join("; ") : `${all.join("; ")}. ${notes.join(" ")}`);
}

function tell(text: string, action?: Notice["action"]): void {
  notify({ kind: "info", about: "drop", place: "drop", text, ...(action && { action }) });
}

function refuse(text: string): void {
  notify({ kind: "error", about: "drop", place: "drop", text });
}
