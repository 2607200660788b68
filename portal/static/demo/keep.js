/**
 * What must outlive the page: drafts, the channel that is open, and everything that is not acknowledged yet. Where the
 * browser refuses storage, things live as long as the page.
 */
export class Keep {
  constructor(app, user) {
    this.base = `natter.demo.${app}.${user}`;
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

  #get(name) {
    return attempt(() => localStorage.getItem(`${this.base}.${name}`)) ?? "";
  }

  #set(name, text) {
    const key = `${this.base}.${name}`;
    attempt(() => (text ? localStorage.setItem(key, text) : localStorage.removeItem(key)));
  }
}

/**
 * Where the SDK keeps what waits to be sent: each operation has a key of its own in localStorage, written before it goes
 * out, so that two tabs of the same demo never overwrite each other's. The rest of its state is read anew by each page, so
 * that what is shown here is what the server says.
 */
export class Waiting {
  async read(prefix) {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix) && waits(key));
    return new Map(keys.map((key) => [key, JSON.parse(localStorage.getItem(key))]));
  }

  async write(changes) {
    for (const [key, value] of changes) {
      if (!waits(key)) continue;
      if (value === undefined) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(value));
    }
  }
}

/** As the SDK names them: `…/op/<key>`. */
function waits(key) {
  return key.split("/").at(-2) === "op";
}

function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}
