/** What nodes of this version offer beyond sending, editing, deleting and reading. */
export const OFFERED = new Set(["threads", "quotes", "mentions", "pins"]);
