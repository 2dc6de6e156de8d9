/** TOML's tokens. CodeMirror's legacy mode knows no keys in inline tables, and specs have many inline tables. */

import type { StreamParser, StringStream } from "@codemirror/language";

interface State {
  /** The quotes that end the multi-line string in which the line begins. */
  quotes: '"""' | "'''" | null;
}

/** A longer line stays plain: nobody reads it, and colouring may take time that grows with the square of its length. */
const LONGEST = 10_000;
const BARE_KEY = /^[\w-]+(?=\s*[.=])/;
const QUOTED = /^(?:"(?:[^"\\]|\\.)*"?|'[^']*'?)/;

export const toml: StreamParser<State> = {
  name: "toml",
  startState: () => ({ quotes: null }),
  copyState: ({ quotes }) => ({ quotes }),
  languageData: { commentTokens: { line: "#" } },
  token(stream, state) {
    if (state.quotes) return longString(stream, state);
    if (stream.string.length > LONGEST) {
      stream.skipToEnd();
      return null;
    }
    if (stream.eatSpace()) return null;
    if (stream.sol() || stream.string.slice(0, stream.pos).trim() === "") {
      if (stream.match(/^\[\[?[^\]#]*\]?\]?(?=\s*(?:#|$))/)) return "heading";
    }
    if (stream.match(/^#.*/)) return "comment";
    for (const quotes of ['"""', "'''"] as const) {
      if (!stream.match(quotes)) continue;
      state.quotes = quotes;
      return longString(stream, state);
    }
    if (stream.match(QUOTED)) return stream.match(/^\s*[.=]/, false) ? "propertyName" : "string";
    if (stream.match(BARE_KEY)) return "propertyName";
    if (stream.match(/^(?:true|false)\b/)) return "bool";
    if (stream.match(/^[+-]?\d[\w.:+-]*/)) return "number";
    if (stream.match(/^[[\]{},=.]/)) return "punctuation";
    stream.next();
    return null;
  },
};

function longString(stream: StringStream, state: State): string {
  const end = state.quotes ? stream.string.indexOf(state.quotes, stream.pos) : -1;
  if (end < 0) stream.skipToEnd();
  else {
    stream.pos = end + 3;
    state.quotes = null;
  }
  return "string";
}
