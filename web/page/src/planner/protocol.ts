/** The messages between the page and the planning worker. */

import type { Addition } from "../drop/additions";
import type { Diagnostic, Preview, keys } from "flowhold";

export type View = "dockerfile" | "context" | "image" | "spec" | "storage";

export type Key = ReturnType<typeof keys>[number];

/** The directories that the user has opened or closed, and how many children each shows. */
export interface Folds {
  open: Record<string, boolean>;
  shown: Record<string, number>;
}

export interface PlanRequest {
  kind: "plan";
  /** The revision of the editor's text. */
  revision: number;
  text: string;
  view: View;
  folds: Folds;
}

export type Question =
  | { kind: "insert"; text: string; additions: Addition[] }
  | { kind: "recognise"; dropped: string; name: string; text: string }
  | { kind: "capture"; text: string }
  | { kind: "archive"; text: string; known: Known[] };

/** The type of the answer to each question. */
export interface Answers {
  insert: Insertion;
  recognise: Recognised;
  capture: string;
  archive: (Uint8Array<ArrayBuffer> | Known)[];
}

export type Request =
  PlanRequest | { kind: "since"; preview: string | null } | { kind: "ask"; id: number; question: Question };

export type Reply =
  | { kind: "ready"; keys: Key[] }
  | { kind: "outcome"; outcome: Outcome }
  | { kind: "unpinned"; preview: string | null; message: string }
  | { kind: "answer"; id: number; answer: Answers[keyof Answers] }
  | { kind: "refusal"; id: number; message: string }
  | { kind: "fault"; message: string };

/** What a dropped text is. A file is anything else, and any text whose name the spec has already. */
export type Recognised = "spec" | "file" | "storage" | "preview";

export interface Known {
  size: number;
  sha256: string;
}

export interface Change {
  from: number;
  to: number;
  insert: string;
}

export interface Insertion {
  changes: Change[];
  added: { flows: number; files: number };
  replaced: { flows: number; files: number };
  refused: string[];
}

export interface Problem extends Pick<Diagnostic, "severity" | "message" | "help" | "code" | "field"> {
  /** The policy that gave this verdict. */
  policy: string | null;
  from: number;
  to: number;
  /** The line of the spec's text, counted from 1. */
  line: number;
}

export interface Step {
  line: number;
  lines: number;
  why: string;
  forecast: { cached: boolean; reason: string } | null;
}

/** The fields that made a line: the first few, and how many there are. */
export interface LineFields {
  fields: string[];
  count: number;
}

/** One row of the build context as it is shown. */
export interface Row {
  kind: "directory" | "file" | "link" | "more";
  path: string;
  name: string;
  depth: number;
  /** For a directory, the size of everything below it; null if the size isn't known. */
  size: number | null;
  detail: string;
  /** Whether a directory is open; null for everything else. */
  open: boolean | null;
}

export type Content =
  | { view: "dockerfile" | "image" }
  | { view: "context"; rows: Row[] }
  | { view: "spec" | "storage"; json: string | null; message: string };

/** A preview, reduced to what is on the screen. */
export interface Outcome {
  revision: number;
  milliseconds: number;
  plan: string | null;
  whyNoPlan: string;
  /** The type of a storage without image; "" for any other storage, and while the spec has an error. */
  type: string;
  /** The spec's `naming`; null if the spec has none. */
  naming: string | null;
  image: Preview["image"];
  dockerfile: string | null;
  steps: Step[];
  lineFields: LineFields[];
  /** Triples of numbers: from and to in the editor's text, and the line of the Dockerfile that this range made. */
  spans: Uint32Array;
  /** Triples as in `spans`, also for the fields around: the cursor in such a range marks its line. */
  around: Uint32Array;
  flows: [name: string, location: string][];
  flowCount: number;
  problems: Problem[];
  counts: Record<Diagnostic["severity"], number>;
  context: { files: number; bytes: number; unknown: number };
  content: Content;
}
