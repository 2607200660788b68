/** The state, and who wants to hear of which part of it. */
import { act, type Action } from "./actions.js";
import { EMPTY, type State } from "./state.js";

export class Store {
  #state: State = EMPTY;
  #listeners = new Set<() => void>();
  #after = new Set<(action: Action) => void>();

  get state(): State {
    return this.#state;
  }

  /** Do something to the state. Listeners hear of it at once, in the order in which they came. */
  do(action: Action): void {
    const before = this.#state;
    this.#state = act(before, action);
    for (const listener of this.#after) listener(action);
    if (this.#state !== before) for (const listener of [...this.#listeners]) listener();
  }

  /** Be called with a part of the state whenever it is another one; not for the one of now. Returns how to stop. */
  subscribe<T>(select: (state: State) => T, listener: (part: T, before: T) => void): () => void {
    let known = select(this.#state);
    const check = (): void => {
      const part = select(this.#state);
      if (Object.is(part, known)) return;
      const before = known;
      known = part;
      listener(part, before);
    };
    this.#listeners.add(check);
    return () => this.#listeners.delete(check);
  }

  /** Be called after every action, whether it changed something or not. */
  follow(listener: (action: Action) => void): () => void {
    this.#after.add(listener);
    return () => this.#after.delete(listener);
  }
}
