// Fetch the films of the study that comes next, so that its first pixels are there at once. Pixels only: no answer and
// no heat map of a study is asked for before it is opened, so a blind one stays blind.

import { nextUnread } from "./next.js";

// A film above this would push others out of the browser's cache; it is fetched when its study is opened.
const MOST_PIXELS = 20_000_000;
const MOST_FILMS = 4;
const AGAIN_MS = 20_000;

// What the browser is to hold of `films`: first pixels first.
export function wanted(uid, films) {
  const near = films.slice(0, MOST_FILMS);
  const base = (film) => `/v1/studies/${uid}/films/${film.uid}`;
  return [
    ...near.flatMap((film) => [`${base(film)}/preview.png`, `${base(film)}/thumbnail.png`]),
    ...near.filter(({ width, height }) => width * height <= MOST_PIXELS).map((film) => `${base(film)}/frame`),
  ];
}

// The study that `n` leads to: the neighbour in the list, which need not be the one that is due first.
function neighbour() {
  return document.querySelector("a[rel=next]")?.getAttribute("href").split("/").pop() ?? null;
}

async function preload(uid, ask) {
  const answer = await ask(`/v1/studies/${uid}/films`, { priority: "low" });
  const { films } = answer.ok ? await answer.json() : { films: [] };
  for (const url of wanted(uid, films)) {
    const got = await ask(url, { priority: "low" });
    // To the end, or the browser does not keep it.
    await got.arrayBuffer();
  }
}

// Look now, and again from time to time: a more urgent study may have come. Stops when the page goes.
export function preloadNext(current, { ask = fetch, next = nextUnread, beside = neighbour } = {}) {
  const done = new Set([current]);
  async function look() {
    try {
      const due = document.hidden ? null : await next(current);
      const fresh = [due?.uid, document.hidden ? null : beside()].filter((uid) => uid && !done.has(uid));
      for (const uid of new Set(fresh)) {
        await preload(uid, ask);
        done.add(uid);
      }
      if (fresh.length) performance.mark("hilum:preloaded");
    } catch {
      // The server is away, or the page is going: nothing is lost but some milliseconds.
    }
    setTimeout(look, AGAIN_MS);
  }
  return look();
}
