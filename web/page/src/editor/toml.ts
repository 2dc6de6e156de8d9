/** TOML's tokens. The mode in CodeMirror's legacy modes knows no keys in inline tables, of which specs have many. */

import type { StreamParser, StringStream } from "@codemirror/language";

interface State {
  /** The quotes that end the string over several lines that the line begins in. */
  quotes: '"""' | "'''" | null;
}

/** A line that is longer stays plain: nobody reads it, and colouring may take time that grows with its square. */
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
