// Keeps all files of the page when it is first loaded: from then on the page needs no network.
// `precache.js` fills in version and files when the page is built.

const FILES = [/* files */];
const PREFIX = `flowhold ${self.registration.scope} `;
const CACHE = `${PREFIX}__VERSION__`;
const POLICIES = `${PREFIX}policies`;
/** Milliseconds to wait for a network that does not answer. */
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

// A new version takes over only when the page asks for it, so that two versions never mix.
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const path = request.url.slice(self.registration.scope.length).replace(/[?#].*/, "");
  const navigates = request.mode === "navigate";
  // Other pages below the page's address are left to the network.
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

/** Fetches a file. Many hosts redirect index.html to its folder, and browsers refuse a redirected answer for a page. */
async function fetched(file) {
  const answer = await fetch(file, { cache: "reload" });
  if (!answer.ok) throw new Error(`${file} can't be loaded: HTTP status ${answer.status}`);
  const { body, status, headers } = answer;
  return answer.redirected ? new Response(body, { status, headers }) : answer;
}

/** Fetches a policy from the host. The copy that was kept last is only for when there is no network. */
async function policy(request) {
  const cache = await caches.open(POLICIES);
  try {
    const answer = await fetch(request.url, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE) });
    // If there is no room for the new policy, the kept copy is deleted, since it is older.
    if (answer.ok) await cache.put(request, answer.clone()).catch(() => cache.delete(request));
    return answer;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
