/**
 * Storage in IndexedDB. What waits to be sent is noted in `localStorage` first, which is written before the next line
 * of code runs: a page that is closed in that very moment loses nothing.
 */
import type { Storage } from "./ports.js";

const STORE = "kept";
/** Keys that are noted at once: those of operations. */
const AT_ONCE = "/op/";
const GONE = "";

export class IndexedDbStorage implements Storage {
  #database: Promise<IDBDatabase> | null = null;

  /** `name`: of the database, and what notes in `localStorage` begin with. */
  constructor(readonly name = "natter") {}

  async read(prefix: string): Promise<Map<string, unknown>> {
    const found = new Map<string, unknown>();
    try {
      const store = await this.#open("readonly");
      const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
      const [keys, values] = await Promise.all([done(store.getAllKeys(range)), done(store.getAll(range))]);
      keys.forEach((key, index) => found.set(key as string, values[index]));
    } catch (error) {
      if (!this.#notes(prefix).length) throw error;
    }
    for (const [key, note] of this.#notes(prefix)) {
      if (note === GONE) found.delete(key);
      else found.set(key, JSON.parse(note));
    }
    return found;
  }

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    const noted = [...changes].filter(([key]) => key.includes(AT_ONCE));
    noted.forEach(([key, value]) => this.#note(key, value === undefined ? GONE : JSON.stringify(value)));
    let written = false;
    try {
      const store = await this.#open("readwrite");
      for (const [key, value] of changes) {
        if (value === undefined) store.delete(key);
        else store.put(value, key);
      }
      await new Promise<void>((resolve, reject) => {
        store.transaction.oncomplete = () => resolve();
        store.transaction.onabort = () => reject(store.transaction.error);
      });
      written = true;
    } finally {
      // Unless something newer was noted meanwhile. Without a database, a note is all there is of what is not gone.
      for (const [key, value] of noted) {
        if (written || value === undefined) this.#forget(key, value === undefined ? GONE : JSON.stringify(value));
      }
    }
  }

  async #open(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    this.#database ??= open(this.name, () => (this.#database = null));
    try {
      return (await this.#database).transaction(STORE, mode, { durability: "relaxed" }).objectStore(STORE);
    } catch (error) {
      this.#database = null;
      throw error;
    }
  }

  #note(key: string, text: string): void {
    try {
      localStorage.setItem(`${this.name}:${key}`, text);
    } catch {
      // Blocked or full: the database alone keeps it, a moment later.
    }
  }

  #forget(key: string, text: string): void {
    try {
      if (localStorage.getItem(`${this.name}:${key}`) === text) localStorage.removeItem(`${this.name}:${key}`);
    } catch {
      // There is nothing to forget.
    }
  }

  #notes(prefix: string): [string, string][] {
    try {
      const start = `${this.name}:`;
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(start + prefix));
      return keys.map((key) => [key.slice(start.length), localStorage.getItem(key) ?? GONE]);
    } catch {
      return [];
    }
  }
}

/** Milliseconds until a database that does not open counts as blocked. */
const OPEN_WITHIN = 3_000;

async function open(name: string, closed: () => void): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("IndexedDB does not open")), OPEN_WITHIN);
  });
  try {
    const database = await Promise.race([done(request), late]);
    // The browser takes it away, or another tab wants a newer one.
    database.onclose = closed;
    database.onversionchange = () => {
      database.close();
      closed();
    };
    return database;
  } finally {
    clearTimeout(timer);
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
