/** Completes tables, keys and values, from the list of keys that the core itself reads. */

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { startCompletion } from "@codemirror/autocomplete";
import type { EditorState } from "@codemirror/state";
import type { EditorView, Rect } from "@codemirror/view";
import type { Key } from "../planner/protocol";

const HEADER = /^\s*(\[\[?)\s*([\w.-]+)/;
const HEADERS: Completion[] = [
  { label: "[storage]", type: "namespace", info: "Which storage, and its arguments." },
  { label: "[[flows]]", type: "namespace", info: "One flow. Each is a table of its own." },
  { label: "[storage.env_vars]", type: "namespace", info: "Environment variables of the image." },
  { label: "[storage.files]", type: "namespace", info: "Files and directories for the image." },
];

const BRACKETS: Record<Key["type"], readonly [open: string, close: string]> = {
  string: ['"', '"'],
  array: ['["', '"]'],
  table: ["{ ", " }"],
  boolean: ["", ""],
  number: ["", ""],
};

export function completions(keys: () => readonly Key[]): (context: CompletionContext) => CompletionResult | null {
  return (context) => {
    const { state, pos } = context;
    if (/^\s*\{/.test(state.doc.sliceString(0, 100))) return null;
    const line = state.doc.lineAt(pos);
    const before = line.text.slice(0, pos - line.from);
    const header = /^\s*(\[[[\w.]*\]{0,2})$/.exec(before)?.[1];
    if (header !== undefined) return options(HEADERS, header, pos);

    const table = enclosing(state, line.number);
    const value = /^\s*([\w-]+)\s*=\s*("?)([\w-]*)$/.exec(before);
    if (value) {
      const [, name, quote, typed = ""] = value;
      const key = keys().find((one) => one.table === table.name && one.key === name);
      return key ? options(values(key, quote !== ""), typed, pos) : null;
    }

    const typed = /^\s*([\w-]*)$/.exec(before)?.[1];
    if (typed === undefined || (typed === "" && !context.explicit)) return null;
    const type = table.values.get("type") ?? "local";
    const fitting = keys().filter(
      (one) =>
        one.table === table.name && (one.storage ?? type) === type && (one.key === typed || !table.values.has(one.key)),
    );
    const list = fitting.filter((one) => table.name !== "" || one.type !== "table").map(completion);
    return options(table.name === "" || typed === "" ? [...list, ...HEADERS] : list, typed, pos);
  };
}

/**
 * Places the explanation of a suggestion beside the list or, where there is no room, above or below the list and the
 * line being typed.
 */
export function besideThem(view: EditorView, list: Rect, option: Rect, info: Rect, space: Rect): { style: string } {
  const [width, height] = [info.right - info.left, info.bottom - info.top];
  const isRight = space.right - list.right >= width;
  if (isRight || list.left - space.left >= width) {
    const top = Math.max(space.top, Math.min(option.top, space.bottom - height)) - list.top;
    return { style: `${isRight ? "left" : "right"}: 100%; top: ${top}px` };
  }
  const typed = view.coordsAtPos(view.state.selection.main.head) ?? list;
  const [top, bottom] = [Math.min(list.top, typed.top), Math.max(list.bottom, typed.bottom)];
  const [above, below] = [top - space.top, space.bottom - bottom];
  const left = Math.min(0, space.right - list.left - width);
  return below >= height || below >= above
    ? { style: `left: ${left}px; top: ${bottom - list.top}px; max-height: ${below}px` }
    : { style: `left: ${left}px; bottom: ${list.bottom - top}px; max-height: ${above}px` };
}

/** Leaves out the suggestion that is already typed in full, so that Enter still begins a new line. */
function options(list: Completion[], typed: string, pos: number): CompletionResult | null {
  const left = list.filter(({ label }) => label !== typed);
  return left.length === 0 ? null : { from: pos - typed.length, options: left };
}

function completion({ key, type, doc }: Key): Completion {
  const [open, close] = BRACKETS[type];
  const apply = (view: EditorView, _: Completion, from: number, to: number): void => {
    const rest = view.state.doc.lineAt(to).text.slice(to - view.state.doc.lineAt(to).from);
    const insert = /^\s*=/.test(rest) ? key : `${key} = ${open}${close}`;
    const anchor = from + (insert === key ? key.length : insert.length - close.length);
    view.dispatch({ changes: { from, to, insert }, selection: { anchor }, userEvent: "input.complete" });
    if (insert !== key) startCompletion(view);
  };
  return { label: key, type: "property", detail: type, info: doc, apply };
}

function values({ type, values: known }: Key, quoted: boolean): Completion[] {
  const list = type === "boolean" ? ["true", "false"] : (known ?? []);
  if (type === "boolean") return quoted ? [] : list.map((label) => ({ label, type: "constant" }));
  return list.map((label) => ({
    label,
    type: "constant",
    apply: (view, _, from, to) => {
      const closed = view.state.doc.sliceString(to, to + 1) === '"';
      const insert = (quoted ? label : `"${label}`) + (closed ? "" : '"');
      const anchor = from + insert.length + (closed ? 1 : 0);
      view.dispatch({ changes: { from, to, insert }, selection: { anchor }, userEvent: "input.complete" });
    },
  }));
}

interface Table {
  name: string;
  values: Map<string, string>;
}

/** The table around a line, and the strings in it. It is found by its header, since the text may be half written. */
function enclosing({ doc }: EditorState, line: number): Table {
  let first = line;
  let name = "";
  for (; first >= 1; first -= 1) {
    const header = HEADER.exec(doc.line(first).text);
    if (header) {
      name = header[2] ?? "";
      break;
    }
  }
  const values = new Map<string, string>();
  for (let number = first + 1; number <= doc.lines; number += 1) {
    const { text } = doc.line(number);
    if (HEADER.test(text)) break;
    const pair = /^\s*([\w-]+)\s*=\s*(?:["']([^"']*))?/.exec(text);
    if (pair?.[1] !== undefined && number !== line) values.set(pair[1], pair[2] ?? "");
  }
  return { name, values };
}
