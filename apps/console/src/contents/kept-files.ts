/** Files that are being uploaded, kept by the browser so that an upload goes on after a reload without asking for the file again. */
const NAME = 'muster-uploads';
const STORE = 'files';

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the browser keeps no files'));
  });

/** Runs one request on the files; comes back when what it changed is in the store to stay. */
async function inStore<T>(mode: IDBTransactionMode, ask: (files: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await done(opening);
  try {
    const transaction = database.transaction(STORE, mode);
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('the browser keeps no more files'));
    });
    const [answer] = await Promise.all([done(ask(transaction.objectStore(STORE))), ended]);
    return answer;
  } finally {
    database.close();
  }
}

/** A browser that keeps nothing asks for the file again; that is no reason not to upload. @returns whether it is kept */
export const keepFile = (id: string, file: File): Promise<boolean> =>
  inStore('readwrite', (files) => files.put(file, id)).then(
    () => true,
    () => false,
  );
export const keptFile = (id: string): Promise<File | undefined> =>
  inStore('readonly', (files) => files.get(id) as IDBRequest<File | undefined>).catch(() => undefined);
export const forgetFile = (id: string): Promise<void> =>
  inStore('readwrite', (files) => files.delete(id)).catch(() => undefined);
