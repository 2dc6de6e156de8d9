/** Flows and files that are dropped onto the page or chosen become part of the spec. */

import { byId } from "../dom";
import type { Insertion } from "../planner/protocol";
import { dismiss, notify } from "../view/notices";
import { bytes, count, reason } from "../wording";
import { DIRECTORY_MODE, FILE_MODE, type Addition, type Entry } from "./additions";
import { fromInput, fromTransfer, type Collection, type Picked } from "./collect";
import type { Contents } from "./contents";
import type { Hashed } from "./hash-worker";
import { hashFiles } from "./hashing";

const FLOW = /\.(py|pkl|pickle|prefect|cloudpickle)$/i;
const SPEC = /\.(toml|json)$/i;
const MOST_SPEC_BYTES = 1_000_000;
const MOST_REFUSED = 5;

export interface Target {
  /** Adds to the spec's text as it is by now. */
  insert(additions: Addition[]): Promise<Insertion>;
  replace(text: string): void;
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

  /** In the capture phase, as the editor would insert the text of dropped files. Dropped text is left to it. */
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
    if (this.#abort) return refuse("another drop is still being read: wait for it, or cancel it");
    const abort = new AbortController();
    this.#abort = abort;
    dismiss("drop");
    try {
      const { picked, refused } = await collect(abort.signal);
      const [only] = picked;
      if (only && picked.length === 1 && !only.directory && SPEC.test(only.name)) await this.#openSpec(only);
      else if (picked.length > 0 || refused.length > 0) await this.#add(picked, refused, abort.signal);
      else refuse("nothing was dropped that a browser can read");
    } catch (error) {
      if (abort.signal.aborted)
        notify({ kind: "info", about: "drop", place: "drop", text: "Cancelled: nothing was added." });
      else refuse(reason(error));
    } finally {
      this.#abort = null;
      byId("dropping").hidden = true;
    }
  }

  async #openSpec({ name, files }: Picked): Promise<void> {
    const file = files[0]?.file;
    if (!file) return;
    if (file.size >= MOST_SPEC_BYTES)
      throw new Error(`${name} is not read as a spec: it has ${bytes(file.size)}, and a spec has less than 1 MB`);
    const content = await file.arrayBuffer().catch((error: unknown) => {
      throw new Error(`${name} can't be read: ${reason(error)}`);
    });
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(content);
    } catch {
      text = "\0";
    }
    if (text.includes("\0")) throw new Error(`${name} is not read as a spec: it is no text`);
    this.#target.replace(text);
    notify({
      kind: "info",
      about: "drop",
      place: "drop",
      text: `${name} is the spec now. Undo brings the last one back.`,
    });
  }

  async #add(picked: Picked[], refused: string[], signal: AbortSignal): Promise<void> {
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
    if (additions.length === 0) return report({ changes: [], added: 0, replaced: 0, refused });
    show("Adding to the spec", 1);
    const inserted = await this.#target.insert(additions);
    report(
      { ...inserted, refused: [...refused, ...inserted.refused] },
      additions.length === 1 ? additions[0]?.name : undefined,
    );
  }

  #addition({ name, directory, files, directories }: Picked, hashed: Hashed[], refused: string[]): Addition[] {
    const entries: Entry[] = directory ? ["", ...directories].map((path) => ({ path, mode: DIRECTORY_MODE })) : [];
    for (const [index, { path, file }] of files.entries()) {
      const result = hashed[index];
      if (!result || "error" in result) {
        refused.push(`${directory ? `${name}/${path}` : name} can't be read: ${result?.error ?? "no answer"}`);
        continue;
      }
      this.#contents.add(result.sha256, file);
      entries.push({ path, mode: FILE_MODE, ...result });
    }
    // A directory of which something could not be read would be another directory.
    if (
      entries.length === 0 ||
      (directory && files.length > 0 && entries.length < files.length + directories.length + 1)
    )
      return [];
    entries.sort((a, b) => (a.path < b.path ? -1 : 1));
    const [first] = entries;
    if (!directory && FLOW.test(name) && first?.sha256 !== undefined && first.size !== undefined) {
      return [{ kind: "flow", name, size: first.size, sha256: first.sha256 }];
    }
    return [{ kind: "file", name, entries }];
  }
}

function show(text: string, done: number | null): void {
  byId("dropping").hidden = false;
  byId("dropping-text").textContent = text;
  const bar = byId<HTMLProgressElement>("dropping-bar");
  if (done === null) bar.removeAttribute("value");
  else bar.value = done;
}

function report({ added, replaced, refused }: Insertion, only?: string): void {
  const done: string[] = [];
  if (added > 0) done.push(`${only ?? added.toLocaleString("en")} added`);
  if (replaced > 0) done.push(`${only ?? replaced.toLocaleString("en")} brought up to date`);
  if (refused.length === 0) {
    notify({ kind: "info", about: "drop", place: "drop", text: `${done.join(", ")}. Undo takes it back.` });
    return;
  }
  const rest = refused.length - MOST_REFUSED;
  refuse(
    [...refused.slice(0, MOST_REFUSED), ...(rest > 0 ? [`and ${rest.toLocaleString("en")} more`] : []), ...done].join(
      "; ",
    ),
  );
}

function refuse(text: string): void {
  notify({ kind: "error", about: "drop", place: "drop", text });
}
