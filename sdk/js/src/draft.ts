/** State that is being changed: each thing is copied once, when it is first changed. */
import type { ChannelState, State } from "./state.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type ChannelDraft = Mutable<ChannelState>;

export class Draft {
  /** As it is now; to be read. */
  now: State;
  readonly #before: State;
  readonly #open = new Map<string, ChannelDraft>();

  constructor(state: State) {
    this.now = this.#before = state;
  }

  /** Put fields in the place of others. */
  set(fields: Partial<State>): void {
    this.#edit();
    Object.assign(this.now, fields);
  }

  /** A channel, to be changed in place; undefined if there is none. */
  channel(id: string): ChannelDraft | undefined {
    const open = this.#open.get(id);
    if (open) return open;
    const known = this.now.channels[id];
    return known && this.put(id, { ...known });
  }

  /** A channel in the place of the one that was there. */
  put(id: string, channel: ChannelState): ChannelDraft {
    const draft = channel as ChannelDraft;
    this.#channels()[id] = draft;
    this.#open.set(id, draft);
    return draft;
  }

  remove(id: string): void {
    if (!this.now.channels[id]) return;
    this.#open.delete(id);
    delete this.#channels()[id];
  }

  #edit(): Mutable<State> {
    if (this.now === this.#before) this.now = { ...this.#before };
    return this.now;
  }

  #channels(): Record<string, ChannelState> {
    const state = this.#edit();
    if (state.channels === this.#before.channels) state.channels = { ...state.channels };
    return state.channels as Record<string, ChannelState>;
  }
}
