/** The editor of the spec. */

import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { codeFolding, foldEffect, foldGutter, foldKeymap } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { element } from "../dom";
import type { Range } from "../fields";
import type { Change, Key, Problem } from "../planner/protocol";
import { INVISIBLE, escaped, says } from "../wording";
import { besideThem, completions } from "./completion";
import { foldable, language } from "./language";
import { link, linked } from "./linked";
import { look } from "./look";

export interface Listener {
  changed(revision: number): void;
  cursorMoved(): void;
}

export class Editor {
  readonly #view: EditorView;
  #revision = 1;
  #keys: readonly Key[] = [];

  constructor(host: HTMLElement, text: string, listener: Listener) {
    // In a shadow root CodeMirror uses constructed style sheets, which the Content-Security-Policy allows.
    const root = host.attachShadow({ mode: "open" });
    const parent = document.createElement("div");
    parent.style.height = "100%";
    root.append(parent);
    const update = EditorView.updateListener.of((change) => {
      if (change.docChanged) listener.changed(++this.#revision);
      if (change.docChanged || change.selectionSet) listener.cursorMoved();
    });
    const extensions = [
      lineNumbers(),
      foldGutter({ openText: "▾", closedText: "▸" }),
      lintGutter(),
      codeFolding(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      drawSelection(),
      history(),
      search(),
      highlightSelectionMatches({ minSelectionLength: 3 }),
      highlightSpecialChars({ specialChars: INVISIBLE, render: special }),
      language(),
      autocompletion({ override: [completions(() => this.#keys)], icons: false, positionInfo: besideThem }),
      linked(),
      look,
      // Tab is not bound: it leaves the editor as it leaves any other field.
      keymap.of([
        ...completionKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...foldKeymap,
        ...lintKeymap,
        ...defaultKeymap,
      ]),
      EditorView.contentAttributes.of({ "aria-label": "flowhold.toml", tabindex: "0" }),
      EditorView.domEventHandlers({ beforeinput: replaceSelection }),
      update,
    ];
    this.#view = new EditorView({ root, parent, state: EditorState.create({ doc: text, extensions }) });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Counts the changes of the text. */
  get revision(): number {
    return this.#revision;
  }

  get cursor(): number {
    return this.#view.state.selection.main.head;
  }

  set keys(keys: readonly Key[]) {
    this.#keys = keys;
  }

  focus(): void {
    this.#view.focus();
  }

  replaceAll(text: string): void {
    const changes = { from: 0, to: this.#view.state.doc.length, insert: text };
    this.#view.dispatch({ changes, selection: { anchor: 0 }, userEvent: "input.replace", scrollIntoView: true });
  }

  /** Applies changes, and shows what was inserted, with lists of many lines folded. */
  apply(changes: readonly Change[]): void {
    this.#view.dispatch({ changes: [...changes], userEvent: "input.drop" });
    const inserted: Range[] = [];
    let shift = 0;
    for (const { from, to, insert } of changes) {
      inserted.push({ from: from + shift, to: from + shift + insert.length });
      shift += insert.length - (to - from);
    }
    const last = inserted.at(-1);
    if (!last) return;
    const { doc } = this.#view.state;
    const folds = inserted.flatMap((range) => folded(doc, range));
    const effects = [
      ...folds.map((range) => foldEffect.of(range)),
      EditorView.scrollIntoView(last.from, { y: "center" }),
    ];
    this.#view.dispatch({ selection: { anchor: last.from }, effects });
  }

  show(problems: readonly Problem[]): void {
    const end = this.#view.state.doc.length;
    const diagnostics = problems.map(({ severity, message, help, policy, from, to }): Diagnostic => {
      const renderMessage = (): Node => explained(message, help, policy);
      return { severity, message, from: Math.min(from, end), to: Math.min(to, end), renderMessage };
    });
    this.#view.dispatch(setDiagnostics(this.#view.state, diagnostics));
  }

  select({ from, to }: Range): void {
    const end = this.#view.state.doc.length;
    const selection = { anchor: Math.min(from, end), head: Math.min(to, end) };
    this.#view.dispatch({ selection, effects: EditorView.scrollIntoView(selection.anchor, { y: "center" }) });
    this.focus();
  }

  link(ranges: readonly Range[], scroll: boolean): void {
    this.#view.dispatch({ effects: link.of(ranges) });
    const first = ranges.reduce<number>((least, { from }) => Math.min(least, from), Infinity);
    if (!scroll || first > this.#view.state.doc.length) return;
    // Scrolls the editor and not the page, since the reader is looking at the Dockerfile.
    this.#view.requestMeasure({
      read: (view) => view.lineBlockAt(Math.min(first, view.state.doc.length)),
      write: ({ top, height }, { scrollDOM }) => {
        scrollDOM.scrollTop = top + (height - scrollDOM.clientHeight) / 2;
      },
    });
  }
}

/**
 * Replaces the selection in place of the browser. When a user types over a selection, the browser would keep its style
 * in a style attribute, which the Content-Security-Policy refuses and reports.
 */
function replaceSelection(event: InputEvent, view: EditorView): boolean {
  if (event.inputType !== "insertText" || event.data === null || event.isComposing) return false;
  if (view.state.selection.ranges.every((range) => range.empty)) return false;
  event.preventDefault();
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
  return true;
}

const FOLDED_FROM = 8;

function folded(doc: EditorState["doc"], range: Range): Range[] {
  const folds: Range[] = [];
  for (let line = doc.lineAt(range.from); line.from < range.to; line = doc.line(line.number + 1)) {
    const fold = foldable(doc, line.from);
    if (fold && doc.lineAt(fold.to).number - line.number > FOLDED_FROM) {
      folds.push(fold);
      line = doc.lineAt(fold.to);
    }
    if (line.number === doc.lines) break;
  }
  return folds;
}

function special(codePoint: number, description: string | null): HTMLElement {
  return element("span", { class: "cm-specialChar", title: description }, escaped(codePoint));
}

function explained(message: string, help: string | null, policy: string | null): Node {
  const more = [help, policy && says(policy)].filter((text) => text !== null);
  return element("span", {}, message, ...more.map((text) => element("span", { class: "help" }, text)));
}
