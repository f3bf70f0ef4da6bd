// Which study comes next: the earliest due among the unread that was not skipped in this round.

const SLOT = "hilum.skipped";

export function skipped() {
  return JSON.parse(sessionStorage.getItem(SLOT) ?? "[]");
}

export function skip(uid) {
  sessionStorage.setItem(SLOT, JSON.stringify([...new Set([...skipped(), uid])]));
}

export function choose(studies, current, passed) {
  // What another reader has claimed is offered to nobody: it stays in the list, where it can be opened.
  const free = (study) => !study.claim || study.claim.mine;
  return studies.find((study) => study.uid !== current && !passed.includes(study.uid) && free(study)) ?? null;
}

export async function nextUnread(current, passed = skipped()) {
  let cursor = "";
  // The first that is neither this one nor skipped is wanted: seldom is more than a few lines needed.
  const limit = Math.min(passed.length + 10, 200);
  for (;;) {
    const answer = await fetch(`/v1/studies?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    if (!answer.ok) throw new Error(`the list answered ${answer.status}`);
    const page = await answer.json();
    const found = choose(page.studies, current, passed);
    if (found || !page.next_cursor) return found;
    cursor = page.next_cursor;
  }
}
