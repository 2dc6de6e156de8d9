/** Keeps the page for when there is no network, and tells of new versions. */

import { byId } from "./dom";
import { keep } from "./planner/planner";
import { notify } from "./view/notices";

export async function offline(): Promise<void> {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  try {
    const before = navigator.serviceWorker.controller;
    follow();
    const registration = await navigator.serviceWorker.register(new URL("./service-worker.js", document.baseURI));
    registration.addEventListener("updatefound", () => watch(registration));
    watch(registration);
    const { active } = await navigator.serviceWorker.ready;
    if (active) await activated(active);
    // The service worker has not seen requests from before it was active, and its list of files has no policies.
    if (!before && navigator.serviceWorker.controller) await keep();
    byId("offline").textContent = "Works offline";
  } catch {
    // Private windows and plain http refuse service workers; the page works as long as there is a network.
    byId("offline").textContent = "";
  }
}

function activated(worker: ServiceWorker): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => void (worker.state === "activated" && resolve());
    worker.addEventListener("statechange", look);
    look();
  });
}

/** Whether this tab asked for the new version. */
let asked = false;

/** Follows new service workers: if the page already had one, another is a new version, which all tabs get at once. */
function follow(): void {
  const { serviceWorker } = navigator;
  let controlled = serviceWorker.controller !== null;
  serviceWorker.addEventListener("controllerchange", () => {
    if (asked) return location.reload();
    // Another tab asked for the new version. This tab is not reloaded at once: files dropped onto it would be gone.
    if (controlled)
      notify({
        kind: "info",
        about: "version",
        text: "A new version of this page was loaded in another tab, and parts of this one are gone.",
        action: { label: "Load it here too", run: () => location.reload() },
      });
    controlled = true;
  });
}

function watch(registration: ServiceWorkerRegistration): void {
  const tell = (): void => {
    if (!registration.waiting || !navigator.serviceWorker.controller) return;
    const run = (): void => {
      asked = true;
      registration.waiting?.postMessage("take over");
    };
    notify({
      kind: "info",
      about: "version",
      text: "A new version of this page is ready.",
      action: { label: "Load it", run },
    });
  };
  registration.installing?.addEventListener("statechange", tell);
  tell();
}
