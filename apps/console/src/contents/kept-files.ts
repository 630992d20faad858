/** Files that are being uploaded, kept by the browser so that an upload goes on after a reload without asking for the file again. */
const NAME = 'muster-uploads';
const STORE = 'files';

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the browser keeps no files'));
  });

async function store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await done(opening);
  const transaction = database.transaction(STORE, mode);
  transaction.oncomplete = () => database.close();
  return transaction.objectStore(STORE);
}

/** A browser that keeps nothing asks for the file again; that is no reason not to upload. */
const orNothing = <T>(work: Promise<T>): Promise<T | undefined> => work.catch(() => undefined);

export const keepFile = (id: string, file: File) =>
  orNothing(store('readwrite').then((files) => done(files.put(file, id))));
export const keptFile = (id: string): Promise<File | undefined> =>
  orNothing(store('readonly').then((files) => done(files.get(id) as IDBRequest<File | undefined>)));
export const forgetFile = (id: string) => orNothing(store('readwrite').then((files) => done(files.delete(id))));
