// Labels of a read: 1 present, 0 absent, -1 uncertain, null not judged. Pure functions over a plain object.

export function toggled(labels, name, value) {
  return { ...labels, [name]: labels[name] === value ? null : value };
}

// "All others absent": what is already judged stays.
export function othersAbsent(labels) {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, value ?? 0]));
}

export function nothingJudged(labels) {
  return Object.values(labels).every((value) => value === null);
}

export function inWords(labels) {
  const named = (value) => Object.keys(labels).filter((name) => labels[name] === value);
  const parts = [];
  if (named(1).length) parts.push(`present: ${named(1).join(", ")}`);
  if (named(-1).length) parts.push(`uncertain: ${named(-1).join(", ")}`);
  if (named(0).length) parts.push(`${named(0).length} absent`);
  if (named(null).length) parts.push(`${named(null).length} not judged`);
  return parts.join(" · ");
}
