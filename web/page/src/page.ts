/** The page: its parts, and how each reacts to what another reports. */

import { byId, setText } from "./dom";
import type { Addition } from "./drop/additions";
import { Contents } from "./drop/contents";
import { Drop } from "./drop/drop";
import { Editor } from "./editor/editor";
import type { Insertion, Outcome } from "./planner/protocol";
import type { Planner } from "./planner/planner";
import { remember } from "./remembered";
import { copy } from "./sharing/clipboard";
import { save } from "./sharing/download";
import { EXAMPLES } from "./sharing/examples";
import { decode, encode, isLink, refuseLink } from "./sharing/link";
import { Context } from "./view/context";
import { Dockerfile } from "./view/dockerfile";
import { Forecast } from "./view/forecast";
import { Image } from "./view/image";
import { Json } from "./view/json";
import { menu } from "./view/menu";
import { dismiss, isNotified, notify } from "./view/notices";
import { Plan, command } from "./view/plan";
import { Problems } from "./view/problems";
import { Tabs } from "./view/tabs";
import { reason } from "./wording";

const SAVE_AFTER = 300;
/** Milliseconds. Most plans take less. While a plan takes longer, the plan of an earlier text must not be copied. */
const OUTDATED_AFTER = 300;

export class Page {
  readonly #editor: Editor;
  readonly #planner: Planner;
  readonly #contents = new Contents();
  readonly #context = new Context(() => this.#plan());
  readonly #tabs = new Tabs(() => this.#plan());
  readonly #problems = new Problems((problem) => {
    showPane("source");
    this.#editor.select(problem);
  });
  readonly #dockerfile: Dockerfile;
  readonly #forecast: Forecast;
  readonly #image = new Image();
  readonly #json = new Json();
  readonly #planView = new Plan();
  #outcome: Outcome | null = null;
  #saving = 0;
  #outdating = 0;
  #opened = 0;

  constructor(planner: Planner, text: string) {
    this.#planner = planner;
    this.#editor = new Editor(byId("editor"), text, {
      changed: () => this.#changed(),
      cursorMoved: () => this.#follow(),
    });
    this.#dockerfile = new Dockerfile({
      looked: (ranges, show) => {
        this.#editor.link(this.#isCurrent() ? ranges : [], show);
      },
      chosen: (range) => {
        showPane("source");
        if (this.#isCurrent()) this.#editor.select(range);
      },
    });
    this.#forecast = new Forecast({
      pinned: (preview) => {
        this.#planner.compareWith(preview);
        this.#plan();
      },
      capture: () => this.#planner.ask({ kind: "capture", text: this.#editor.text }),
    });
    new Drop(
      {
        show: () => showPane("source"),
        insert: (additions) => this.#insert(additions),
        recognise: (dropped, name) => this.#ofText((text) => planner.ask({ kind: "recognise", dropped, name, text })),
        replace: (spec) => this.#editor.replaceAll(spec),
        pin: (preview) => void this.#forecast.pin(preview),
      },
      this.#contents,
    );
    this.#buttons();
    planner.listen({
      ready: (keys) => (this.#editor.keys = keys),
      outcome: (outcome) => this.#show(outcome),
      unpinned: (message) => this.#forecast.refuse(message),
      fault: (message, when) => this.#fault(message, when),
    });
    this.#plan();
  }

  /** Opens the spec in the page's fragment. If it can't be read, the page says why, and the text stays as it is. */
  async open(hash: string): Promise<void> {
    const request = ++this.#opened;
    const { revision } = this.#editor;
    // What the user has opened or typed meanwhile stays.
    const isLatest = (): boolean => request === this.#opened && revision === this.#editor.revision;
    try {
      const text = await decode(hash);
      if (!isLatest()) return;
      dismiss("link");
      if (text !== this.#editor.text) this.#editor.replaceAll(text);
      // The spec of a link replaces the user's own in the browser's storage only once it is edited.
      clearTimeout(this.#saving);
      this.#saving = 0;
      history.replaceState(null, "", hash);
    } catch (error) {
      if (isLatest()) refuseLink(error);
    }
  }

  #plan(): void {
    const { text, revision } = this.#editor;
    this.#watch();
    this.#planner.plan({ kind: "plan", revision, text, view: this.#tabs.view, folds: this.#context.folds });
  }

  /** Marks the outcome of an earlier text as outdated, if the new one takes long. */
  #watch(): void {
    if (this.#isCurrent() || this.#outdating) return;
    this.#outdating = window.setTimeout(() => {
      this.#outdating = 0;
      // Without an outcome, the page already says that there is none.
      if (!this.#outcome || this.#isCurrent()) return;
      this.#dockerfile.outdate("The spec has changed, and is being planned.");
      this.#planView.unknown("the spec has changed, and is being planned");
    }, OUTDATED_AFTER);
  }

  #changed(): void {
    this.#plan();
    clearTimeout(this.#saving);
    this.#saving = window.setTimeout(() => this.#save(), SAVE_AFTER);
    // The link no longer has the text that the page shows.
    if (isLink(location.hash)) history.replaceState(null, "", location.pathname + location.search);
  }

  #save(): void {
    clearTimeout(this.#saving);
    this.#saving = 0;
    if (remember("spec", this.#editor.text)) dismiss("storage");
    else
      notify({
        kind: "info",
        about: "storage",
        text: "The browser does not keep this spec: it will be gone when the page is closed.",
      });
  }

  #show(outcome: Outcome): void {
    this.#outcome = outcome;
    clearTimeout(this.#outdating);
    this.#outdating = 0;
    this.#watch();
    dismiss("fault");
    this.#planView.show(outcome);
    this.#problems.show(outcome);
    this.#dockerfile.show(outcome);
    this.#forecast.show(outcome);
    this.#context.show(outcome);
    this.#image.show(outcome);
    this.#json.show(outcome);
    if (this.#isCurrent()) {
      this.#editor.show(outcome.problems);
      this.#follow();
    }
    document.body.dataset["revision"] = String(outcome.revision);
  }

  #fault(message: string, when: "loading" | "planning"): void {
    this.#outcome = null;
    this.#dockerfile.outdate("The planner stopped.");
    this.#planView.unknown(when === "loading" ? "the planner could not be loaded" : "the planner stopped");
    if (when === "loading") {
      // The notice is shown once, however often loading is tried.
      const text = `The planner could not be loaded; it is tried again every few seconds. (${message})`;
      if (!isNotified("fault")) notify({ kind: "error", about: "fault", text });
      this.#plan();
      return;
    }
    const text = `The planner stopped and was started again. The spec is safe; the next change is planned afresh. (${message})`;
    notify({ kind: "error", about: "fault", text, action: { label: "Try again", run: () => this.#plan() } });
  }

  /** Whether the outcome is that of the current text: only then do its places hold in the editor. */
  #isCurrent(): boolean {
    return this.#outcome?.revision === this.#editor.revision;
  }

  #follow(): void {
    if (this.#isCurrent()) this.#dockerfile.follow(this.#editor.cursor);
  }

  async #insert(additions: Addition[]): Promise<Insertion> {
    const insertion = await this.#ofText((text) => this.#planner.ask({ kind: "insert", text, additions }));
    if (insertion.changes.length > 0) this.#editor.apply(insertion.changes);
    return insertion;
  }

  /** Asks about the text, and asks again if the text changed meanwhile. */
  async #ofText<Answer>(ask: (text: string) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      const { revision, text } = this.#editor;
      const answer = await ask(text);
      if (revision === this.#editor.revision) return answer;
    }
  }

  #buttons(): void {
    const on = (id: string, act: () => Promise<void> | void): void =>
      byId(id).addEventListener("click", () => void act());
    const dockerfile = (): string => this.#outcome?.dockerfile ?? "";
    on("copy-dockerfile", () => copied("copy-dockerfile", dockerfile()));
    on("copy-plan", () => copied("copy-plan", this.#outcome?.plan ?? ""));
    on("copy-command", () => copied("copy-command", command(this.#outcome?.plan ?? "")));
    on("download-dockerfile", () => save("Dockerfile", new Blob([dockerfile()], { type: "application/octet-stream" })));
    on("download-context", () => this.#download());
    on("share", () => this.#share());
    on("show-source", () => showPane("source"));
    on("show-result", () => showPane("result"));
    on("skip-source", () => (showPane("source"), this.#editor.focus()));
    on("skip-result", () => (showPane("result"), byId(`tab-${this.#tabs.view}`).focus()));
    for (const id of ["skip-source", "skip-result"])
      byId(id).addEventListener("click", (event) => event.preventDefault());
    const items = EXAMPLES.map(({ title, detail, text }) => ({
      title,
      detail,
      run: () => (this.#editor.replaceAll(text), showPane("source"), this.#editor.focus()),
    }));
    menu(byId("examples"), byId("examples-menu"), items);
    window.addEventListener("hashchange", () => isLink(location.hash) && void this.open(location.hash));
    window.addEventListener("pagehide", () => this.#saving && this.#save());
  }

  async #download(): Promise<void> {
    try {
      const parts = await this.#planner.ask({
        kind: "archive",
        text: this.#editor.text,
        known: this.#contents.known(),
      });
      save("context.tar", await this.#contents.fill(parts));
      dismiss("context");
    } catch (error) {
      notify({ kind: "error", about: "context", text: `The context can't be downloaded: ${reason(error)}` });
    }
  }

  async #share(): Promise<void> {
    try {
      const hash = await this.#ofText(encode);
      history.replaceState(null, "", hash);
      await copied("share", location.href);
    } catch (error) {
      notify({ kind: "error", about: "link", text: `The link can't be made: ${reason(error)}.` });
    }
  }
}

function showPane(pane: "source" | "result"): void {
  document.body.dataset["pane"] = pane;
  for (const one of ["source", "result"]) byId(`show-${one}`).setAttribute("aria-pressed", String(one === pane));
}

/** Takes back the icon and the status that confirm the last copy. */
let forget = (): void => undefined;

async function copied(button: string, text: string): Promise<void> {
  if (await copy(text)) {
    forget();
    const use = byId(button).querySelector("use");
    const icon = button === "share" ? "#icon-link" : "#icon-copy";
    const before = byId("status").textContent;
    use?.setAttribute("href", "#icon-check");
    setText(byId("status"), "Copied.");
    const timer = setTimeout(() => forget(), 2000);
    forget = () => {
      clearTimeout(timer);
      forget = () => undefined;
      use?.setAttribute("href", icon);
      if (byId("status").textContent === "Copied.") setText(byId("status"), before);
    };
  } else {
    notify({ kind: "error", about: "copy", text: `The browser did not allow copying. The text was: ${text}` });
  }
}
