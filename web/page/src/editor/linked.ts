/** Marks the part of the spec that made the line of the Dockerfile under the pointer or the focus. */

import { StateEffect, StateField, type Extension } from "@codemirror/state";
import { Decoration, EditorView, type DecorationSet } from "@codemirror/view";
import type { Range } from "../fields";

const mark = Decoration.mark({ class: "cm-linked" });

export const link = StateEffect.define<readonly Range[]>();

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let next = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(link)) continue;
      const end = transaction.newDoc.length;
      const ranges = joined(effect.value).filter(({ from, to }) => from < to && to <= end);
      next = Decoration.set(ranges.map(({ from, to }) => mark.range(from, to)));
    }
    return next;
  },
  provide: (marks) => EditorView.decorations.from(marks),
});

export function linked(): Extension {
  return field;
}

/** Joins neighbouring ranges: a thousand flows become one mark. */
function joined(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => a.from - b.from);
  const result: Range[] = [];
  for (const { from, to } of sorted) {
    const last = result.at(-1);
    if (last && from <= last.to + 2) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}
