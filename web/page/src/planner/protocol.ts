/** What page and planning worker say to each other. */

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
  /** Of the editor's text. */
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

/** What each question is answered with. */
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

/** What a dropped text is to the spec; a file is anything else, and what the spec has by that name. */
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
  /** The policy whose verdict it is. */
  policy: string | null;
  from: number;
  to: number;
  /** Of the spec's text, from 1. */
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
  /** Of a directory, everything below it; null where it isn't known. */
  size: number | null;
  detail: string;
  /** Null of everything that isn't a directory. */
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
  /** Of a storage without image; "" of any other, and while the spec has an error. */
  type: string;
  /** Null where the spec does not say it. */
  naming: string | null;
  image: Preview["image"];
  dockerfile: string | null;
  steps: Step[];
  lineFields: LineFields[];
  /** Threes of numbers: from and to in the editor's text, and the line of the Dockerfile that this made. */
  spans: Uint32Array;
  /** The same, with the fields around them: where the cursor may be to mark a line. */
  around: Uint32Array;
  flows: [name: string, location: string][];
  flowCount: number;
  problems: Problem[];
  counts: Record<Diagnostic["severity"], number>;
  context: { files: number; bytes: number; unknown: number };
  content: Content;
}
