// What a fresh copy of the list means for a person who is in the middle of it. Pure functions.

// `shown` and `fresh` are lists of {key, band}; `more`: the fresh list has a next page. Returns the keys to hold back
// (new ones), those that left, and how many are new, critical now, and moved.
export function difference(shown, fresh, more) {
  const before = new Map(shown.map((row) => [row.key, row]));
  const after = new Map(fresh.map((row) => [row.key, row]));
  const added = fresh.filter((row) => !before.has(row.key));
  const stayed = shown.filter((row) => after.has(row.key));
  // What was pushed over the end of the page has not left the list.
  const end = more ? shown.lastIndexOf(stayed.at(-1)) : shown.length;
  const gone = shown.filter((row, at) => !after.has(row.key) && (stayed.length === 0 || at < end));
  const critical = fresh.filter((row) => row.band === "critical" && before.get(row.key)?.band !== "critical");
  const order = fresh.filter((row) => before.has(row.key));
  const moved = order.filter((row, at) => row.key !== stayed[at].key).length;
  return { added: added.map((row) => row.key), gone: gone.map((row) => row.key), critical: critical.length, moved };
}

// The line above the list; empty where nothing is held back.
export function inWords({ added, critical, moved }) {
  const parts = [];
  if (added.length) parts.push(`${added.length} new`);
  if (critical) parts.push(`${critical} critical`);
  if (!parts.length && moved) parts.push("The order changed");
  return parts.join(", ");
}

// A person is in the list while the pointer or the focus is in it, or it is scrolled, until they leave it alone.
export function inUse({ focused, hovered, scrolled, idleSeconds }, patienceSeconds = 60) {
  return (focused || hovered || scrolled) && idleSeconds < patienceSeconds;
}
