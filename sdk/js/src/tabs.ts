/** Several tabs of one browser: one leads, and the others follow. */

/** What tabs share. */
export interface Tabs {
  /**
   * Call `lead` once this tab is the only one that leads under a name, and `lost` if another one has taken that away.
   * `steal`: do not wait for whoever leads, because it does not answer. Returns how to give it up, or to wait no more.
   */
  lead(name: string, lead: () => void, lost: () => void, steal?: boolean): () => void;
  /** Hear what other tabs say under a name, in the order in which each says it. */
  join(name: string, hear: (said: unknown) => void): { say(what: unknown): void; leave(): void };
}

/** Web Locks and BroadcastChannel. The lock of a tab that dies is free at once. */
export const browserTabs: Tabs = {
  lead(name, lead, lost, steal = false) {
    const control = new AbortController();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    // What is stolen cannot be waited for, and so not be called off.
    const options = steal ? { steal: true } : { signal: control.signal };
    let leads = false;
    navigator.locks
      .request(name, options, () => {
        leads = true;
        lead();
        return held;
      })
      .catch(() => leads && lost());
    return () => {
      leads = false;
      control.abort();
      release();
    };
  },
  join(name, hear) {
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => hear(data);
    return { say: (what) => channel.postMessage(what), leave: () => channel.close() };
  },
};

/** Whether this browser has what it takes. */
export function hasTabs(): boolean {
  return typeof BroadcastChannel !== "undefined" && Boolean(globalThis.navigator?.locks);
}
