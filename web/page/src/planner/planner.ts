/** The page's side of the planning worker: never more than one plan in flight, and only the latest text after it. */

import type { Answers, Key, Outcome, PlanRequest, Question, Reply, Request } from "./protocol";

/** Planning takes milliseconds; a worker that is silent for this long will not answer. */
const PATIENCE = 20_000;

export interface Listener {
  ready(keys: Key[]): void;
  outcome(outcome: Outcome): void;
  /** The text that plans should be compared with is not a preview. */
  unpinned(message: string): void;
  /** The worker has died and another replaces it, or the worker could not be loaded and loading is tried again. */
  fault(message: string, when: "loading" | "planning"): void;
}

interface Asked {
  resolve(answer: Answers[keyof Answers]): void;
  reject(error: Error): void;
}

function start(name: string): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name });
}

/** Loads everything that planning needs once more, so that the service worker keeps it. */
export async function keep(): Promise<void> {
  const worker = start("keeper");
  await new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = reject;
  }).finally(() => worker.terminate());
}

export class Planner {
  readonly #asked = new Map<number, Asked>();
  #listener: Listener | null = null;
  #worker = this.#start();
  #keys: Key[] | null = null;
  /** Why the worker could not be loaded, for a listener that comes later. */
  #failure: string | null = null;
  #ready = false;
  #waiting: PlanRequest | null = null;
  #inFlight: PlanRequest | null = null;
  #since: string | null = null;
  #questions: Request[] = [];
  #count = 0;
  #alarm = 0;

  /** Sets the listener. The worker is loaded before that, so the listener is told what it has missed. */
  listen(listener: Listener): void {
    this.#listener = listener;
    if (this.#keys) listener.ready(this.#keys);
    if (this.#failure !== null) listener.fault(this.#failure, "loading");
  }

  plan(request: PlanRequest): void {
    this.#waiting = request;
    this.#next();
  }

  /** Compares plans with this preview from now on, or with none. */
  compareWith(preview: string | null): void {
    this.#since = preview;
    if (this.#ready) this.#post({ kind: "since", preview });
  }

  ask<Q extends Question>(question: Q): Promise<Answers[Q["kind"]]> {
    const id = ++this.#count;
    const request: Request = { kind: "ask", id, question };
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve: resolve as Asked["resolve"], reject });
      if (this.#ready) this.#post(request);
      else this.#questions.push(request);
      this.#watch();
    });
  }

  #start(): Worker {
    const worker = start("planner");
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#die(event.message || "its program could not be loaded");
    };
    worker.onmessageerror = () => this.#die("its answer could not be read");
    return worker;
  }

  #post(request: Request): void {
    this.#worker.postMessage(request);
  }

  #next(): void {
    if (!this.#ready || this.#inFlight || !this.#waiting) return;
    this.#inFlight = this.#waiting;
    this.#waiting = null;
    this.#post(this.#inFlight);
    this.#watch();
  }

  #receive(reply: Reply): void {
    switch (reply.kind) {
      case "ready":
        this.#ready = true;
        this.#keys = reply.keys;
        this.#failure = null;
        this.#listener?.ready(reply.keys);
        if (this.#since !== null) this.#post({ kind: "since", preview: this.#since });
        for (const request of this.#questions.splice(0)) this.#post(request);
        break;
      case "outcome":
        this.#inFlight = null;
        this.#listener?.outcome(reply.outcome);
        break;
      case "unpinned":
        // Another preview may have been pinned meanwhile.
        if (reply.preview !== this.#since) break;
        this.#since = null;
        this.#listener?.unpinned(reply.message);
        break;
      case "answer":
        this.#asked.get(reply.id)?.resolve(reply.answer);
        this.#asked.delete(reply.id);
        break;
      case "refusal":
        this.#asked.get(reply.id)?.reject(new Error(reply.message));
        this.#asked.delete(reply.id);
        break;
      case "fault":
        return this.#die(reply.message);
    }
    this.#next();
    this.#watch();
  }

  /** Replaces a failed worker, whose state is unknown. The text that it failed on is tried again only if it changes. */
  #die(message: string): void {
    const when = this.#ready ? "planning" : "loading";
    this.#worker.terminate();
    this.#ready = false;
    this.#inFlight = null;
    this.#questions = [];
    for (const { reject } of this.#asked.values()) reject(new Error(`the planner stopped: ${message}`));
    this.#asked.clear();
    clearTimeout(this.#alarm);
    if (when === "loading") this.#failure = message;
    this.#listener?.fault(message, when);
    const restart = (): void => void (this.#worker = this.#start());
    // Where the program itself can't be loaded, an immediate second try has no better chance.
    if (when === "loading") setTimeout(restart, 5000);
    else restart();
  }

  #watch(): void {
    clearTimeout(this.#alarm);
    if (!this.#ready || (!this.#inFlight && this.#asked.size === 0)) return;
    this.#alarm = window.setTimeout(() => this.#die(`no answer for ${PATIENCE / 1000} seconds`), PATIENCE);
  }
}
