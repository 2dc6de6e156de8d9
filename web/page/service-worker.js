// Everything that the page is made of is kept when it is first loaded: from then on the page needs no network.
// `precache.js` fills in version and files when the page is built.

const FILES = [/* files */];
const PREFIX = `flowhold ${self.registration.scope} `;
const CACHE = `${PREFIX}__VERSION__`;
const POLICIES = `${PREFIX}policies`;
/** Longer than this, nobody waits for a network that does not answer. */
const PATIENCE = 10_000;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) => Promise.all(FILES.map(async (file) => cache.put(file, await fetched(file))))),
  );
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith(PREFIX) && name !== CACHE && name !== POLICIES);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

// A new version waits until the page asks for it: two versions never mix.
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const path = request.url.slice(self.registration.scope.length).replace(/[?#].*/, "");
  const navigates = request.mode === "navigate";
  // Below the page's address may be other pages, which are none of its business.
  if (navigates && path !== "" && path !== "index.html") return;
  if (/^policies(\.js$|\/)/.test(path)) return event.respondWith(policy(request));
  const key = navigates ? "index.html" : request;
  event.respondWith(
    caches
      .open(CACHE)
      .then((cache) => cache.match(key, { ignoreSearch: true }))
      .then((kept) => kept ?? fetch(request)),
  );
});

/** Many hosts redirect index.html to its folder, and a browser takes no answer for a page that was redirected. */
async function fetched(file) {
  const answer = await fetch(file, { cache: "reload" });
  if (!answer.ok) throw new Error(`${file} can't be loaded: HTTP status ${answer.status}`);
  const { body, status, headers } = answer;
  return answer.redirected ? new Response(body, { status, headers }) : answer;
}

/** Policies are what the host has now; what it had last is only for when there is no network. */
async function policy(request) {
  const cache = await caches.open(POLICIES);
  try {
    const answer = await fetch(request.url, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE) });
    // Also where there is no room for it: what was kept last would be an older one.
    if (answer.ok) await cache.put(request, answer.clone()).catch(() => cache.delete(request));
    return answer;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
