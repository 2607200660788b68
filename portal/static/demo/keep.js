/**
 * What must outlive the page: the draft, and everything that is not acknowledged yet.
 *
 * Each operation has a key of its own in localStorage, so that two tabs of the same demo never overwrite each other's.
 * Where the browser refuses storage, things live as long as the page.
 */
export class Keep {
  constructor(app, user) {
    this.draftKey = `natter.demo.${app}.${user}.draft`;
    this.prefix = `natter.demo.${app}.${user}.op.`;
  }

  get draft() {
    return attempt(() => localStorage.getItem(this.draftKey)) ?? "";
  }

  set draft(text) {
    attempt(() => (text ? localStorage.setItem(this.draftKey, text) : localStorage.removeItem(this.draftKey)));
  }

  /** The operations that an earlier page left, oldest first. */
  operations() {
    const found = attempt(() => Object.keys(localStorage).filter((key) => key.startsWith(this.prefix))) ?? [];
    const parsed = found.map((key) => attempt(() => JSON.parse(localStorage.getItem(key))));
    return parsed.filter((op) => op?.key && op?.kind && op?.id).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  put(op) {
    attempt(() => localStorage.setItem(this.prefix + op.key, JSON.stringify(op)));
  }

  drop(op) {
    attempt(() => localStorage.removeItem(this.prefix + op.key));
  }
}

function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}
