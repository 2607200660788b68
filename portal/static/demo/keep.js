/**
 * What must outlive the page: drafts, the channel that is open, and everything that is not acknowledged yet.
 *
 * Each operation has a key of its own in localStorage, so that two tabs of the same demo never overwrite each other's.
 * Where the browser refuses storage, things live as long as the page.
 */
export class Keep {
  constructor(app, user) {
    this.base = `natter.demo.${app}.${user}`;
    this.prefix = `${this.base}.op.`;
  }

  /** The draft of a place, which is a channel or a thread in it. */
  draft(place) {
    return this.#get(`draft.${place}`);
  }

  setDraft(place, text) {
    this.#set(`draft.${place}`, text);
  }

  get channel() {
    return this.#get("channel");
  }

  set channel(id) {
    this.#set("channel", id);
  }

  /** The operations that an earlier page left, oldest first. */
  operations() {
    const found = attempt(() => Object.keys(localStorage).filter((key) => key.startsWith(this.prefix))) ?? [];
    const parsed = found.map((key) => attempt(() => JSON.parse(localStorage.getItem(key))));
    return parsed.filter((op) => op?.key && op?.kind && op?.id && op?.channel).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  put(op) {
    attempt(() => localStorage.setItem(this.prefix + op.key, JSON.stringify(op)));
  }

  drop(op) {
    attempt(() => localStorage.removeItem(this.prefix + op.key));
  }

  #get(name) {
    return attempt(() => localStorage.getItem(`${this.base}.${name}`)) ?? "";
  }

  #set(name, text) {
    const key = `${this.base}.${name}`;
    attempt(() => (text ? localStorage.setItem(key, text) : localStorage.removeItem(key)));
  }
}

function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}
