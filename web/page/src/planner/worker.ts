/** Plans off the page's own thread. Any failure in here is reported, and the page starts another worker. */

import { FlowholdError, archive, keys, loadReadings, places, preview } from "flowhold";
import { insertion } from "../drop/insertion";
import { recognised } from "../drop/recognised";
import { INVALID_PREVIEW, outcome } from "./outcome";
import { policies } from "./policies";
import type { Answers, Known, Question, Reply, Request } from "./protocol";

let since: string | null = null;

self.onmessage = ({ data }: MessageEvent<Request>) => {
  try {
    receive(data);
  } catch (error) {
    reply({ kind: "fault", message: String(error) });
  }
};
// Each worker loads the policies anew.
const judges = await policies();
// The page waits for this message: any that it sent before the module is loaded would be lost.
reply({ kind: "ready", keys: keys() });
// Loads the readings before a name needs them, while there is a network. If that fails, such a name is a problem.
void loadReadings().catch(() => undefined);

function receive(request: Request): void {
  if (request.kind === "since") {
    since = request.preview;
  } else if (request.kind === "plan") {
    const result = planned(request);
    reply({ kind: "outcome", outcome: result }, [result.spans.buffer, result.around.buffer]);
  } else {
    const { id, question } = request;
    try {
      reply({ kind: "answer", id, answer: answer(question) });
    } catch (error) {
      if (!(error instanceof FlowholdError)) throw error;
      // On a page, bytes are given in another way than on a command line.
      const help = error.code === "no-content" ? "add the file to the page" : error.help;
      reply({ kind: "refusal", id, message: help ? `${error.message}: ${help}` : error.message });
    }
  }
}

function planned(request: Request & { kind: "plan" }): ReturnType<typeof outcome> {
  try {
    return outcome(request, since === null ? { policies: judges } : { policies: judges, since });
  } catch (error) {
    // The pinned text comes from the browser's storage and may be anything.
    if (!(error instanceof FlowholdError) || error.code !== INVALID_PREVIEW) throw error;
    reply({ kind: "unpinned", preview: since, message: error.message });
    since = null;
    return outcome(request, { policies: judges });
  }
}

function answer(question: Question): Answers[keyof Answers] {
  switch (question.kind) {
    case "insert":
      return insertion(question.text, question.additions, places);
    case "recognise":
      return recognised(question.dropped, question.name, question.text);
    case "capture":
      return JSON.stringify(preview(question.text, { policies: judges }));
    case "archive":
      return archive(question.text, { files: byDigest(question.known), policies: judges });
  }
}

/** The package finds bytes by their digest too, so the names do not matter. */
function byDigest(known: Known[]): Record<string, Known> {
  return Object.fromEntries(known.map(({ size, sha256 }) => [sha256, { size, sha256 }]));
}

function reply(message: Reply, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}
