// Files out of a file chooser or a drop, folders included; what no film can be is left out and counted.

const NEVER = /(^|\/)(\.|Thumbs\.db$|desktop\.ini$|DICOMDIR$|__MACOSX\/)/i;

export function isLeftOut(path) {
  return NEVER.test(path);
}

function entryFile(entry) {
  return new Promise((resolve, reject) => {
    entry.file(resolve, reject);
  });
}

// A directory reader gives its entries in batches (of 100 in Chromium) until an empty one. They are passed on as they
// come: ten thousand files are minutes of reading on a slow disk, and the first of them can be on their way.
async function* directoryEntries(entry) {
  const reader = entry.createReader();
  for (;;) {
    const batch = await new Promise((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (!batch.length) return;
    yield* batch;
  }
}

async function* walk(entry, path) {
  if (entry.isFile) yield { file: await entryFile(entry), path };
  else for await (const child of directoryEntries(entry)) yield* walk(child, `${path}/${child.name}`);
}

export async function* dropped(transfer) {
  // The entries must be taken before the first await: the list empties when the event is over.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...transfer.files];
  if (entries.length) for (const entry of entries) yield* walk(entry, entry.name);
  else for (const file of plain) yield { file, path: file.name };
}

export function chosen(input) {
  return [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}
