// Which study comes next: the earliest due among the unread that was not skipped in this round.

const SLOT = "hilum.skipped";

export function skipped() {
  return JSON.parse(sessionStorage.getItem(SLOT) ?? "[]");
}

export function skip(uid) {
  sessionStorage.setItem(SLOT, JSON.stringify([...new Set([...skipped(), uid])]));
}

export function choose(studies, current, passed) {
  return studies.find((study) => study.uid !== current && !passed.includes(study.uid)) ?? null;
}

export async function nextUnread(current, passed = skipped()) {
  let cursor = "";
  for (;;) {
    const answer = await fetch(`/v1/studies?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    if (!answer.ok) throw new Error(`the list answered ${answer.status}`);
    const page = await answer.json();
    const found = choose(page.studies, current, passed);
    if (found || !page.next_cursor) return found;
    cursor = page.next_cursor;
  }
}
