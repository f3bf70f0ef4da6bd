// The browser's own database, for reads that wait: it survives a closed tab, and a service worker can open it too.

const NAME = "hilum";
const READS = "reads";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore(READS, { keyPath: "key" }));
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

// Run `work` on the store of reads; resolves once the transaction is complete: with "strict", once it is on disk.
async function within(mode, work, durability = "strict") {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(READS, mode, { durability });
      const request = work(transaction.objectStore(READS));
      transaction.addEventListener("complete", () => resolve(request.result));
      for (const kind of ["error", "abort"]) transaction.addEventListener(kind, () => reject(transaction.error));
    });
  } finally {
    database.close();
  }
}

export const reads = {
  all: () => within("readonly", (store) => store.getAll()),
  put: (entry) => within("readwrite", (store) => store.put(entry)),
  // What comes back after a power cut is sent once more, and does no harm.
  remove: (key) => within("readwrite", (store) => store.delete(key), "relaxed"),
};
