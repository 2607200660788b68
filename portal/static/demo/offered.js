/** What nodes of this version offer beyond sending, editing, deleting and reading. */
export const OFFERED = new Set(["thread typing", "threads", "quotes", "mentions", "pins"]);
