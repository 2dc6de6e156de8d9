/** TOML with colours, and long lists of entries that can be folded. */

import { HighlightStyle, StreamLanguage, foldService, syntaxHighlighting } from "@codemirror/language";
import type { Extension, Text } from "@codemirror/state";
import { tags } from "@lezer/highlight";
import { toml } from "./toml";

const style = HighlightStyle.define([
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  { tag: tags.punctuation, color: "var(--muted)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: [tags.bool, tags.number], color: "var(--code-number)" },
  { tag: tags.heading, color: "var(--code-keyword)", fontWeight: "600" },
  { tag: tags.propertyName, color: "var(--code-name)" },
]);

/**
 * The range of an array whose opening bracket ends a line, up to the line that begins with the closing bracket. The
 * search ends where another array opens: the editor asks for each line that it shows, and each may end with a bracket.
 */
export function foldable(doc: Text, lineStart: number): { from: number; to: number } | null {
  const line = doc.lineAt(lineStart);
  if (!line.text.endsWith("[") || /^\s*#/.test(line.text)) return null;
  for (let number = line.number + 1; number <= doc.lines; number += 1) {
    const candidate = doc.line(number);
    if (candidate.text.endsWith("[")) return null;
    if (/^\s*\]/.test(candidate.text)) {
      return { from: line.to, to: candidate.from + candidate.text.indexOf("]") };
    }
  }
  return null;
}

export function language(): Extension {
  return [
    StreamLanguage.define(toml),
    syntaxHighlighting(style),
    foldService.of((state, lineStart) => foldable(state.doc, lineStart)),
  ];
}
