/** Splits a line of the Dockerfile into coloured pieces. */

import { StreamLanguage } from "@codemirror/language";
import { dockerFile } from "@codemirror/legacy-modes/mode/dockerfile";
import { classHighlighter, highlightCode } from "@lezer/highlight";

const language = StreamLanguage.define(dockerFile);

/** A longer line stays plain: nobody reads it, and colouring takes time. */
const LONGEST = 4000;

export interface Piece {
  text: string;
  style: string;
}

/** Colours a line. If the line continues `instruction`, it is coloured as arguments; `instruction` is "" if not. */
export function coloured(line: string, instruction: string): Piece[] {
  if (line.length > LONGEST) return [{ text: line, style: "" }];
  const prefix = instruction === "" ? "" : `${instruction} `;
  const code = prefix + line;
  const pieces: Piece[] = [];
  let left = prefix.length;
  const add = (text: string, style: string): void => {
    const own = text.slice(left);
    left = Math.max(0, left - text.length);
    if (own !== "") pieces.push({ text: own, style });
  };
  highlightCode(code, language.parser.parse(code), classHighlighter, add, () => add("\n", ""));
  return pieces;
}
