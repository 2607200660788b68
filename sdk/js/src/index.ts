export { Client, type ClientEvents, type ClientOptions, type MessageRef } from "./client.js";
export { ChatError, ClientError, type ClientErrorCode, NoAnswer, ServerError } from "./errors.js";
export type { ClosingCode, ServerErrorCode } from "./codes.js";
export { type Clock, MemoryStorage, type Storage, type Transport, type Wire, type WireListener } from "./ports.js";
export { alone, type DeskMaker } from "./commands.js";
export { sharedTabs } from "./family.js";
export { browserTabs, type Tabs } from "./tabs.js";
export { IndexedDbStorage } from "./indexeddb.js";
export { socketIo } from "./transport.js";
export { hasAfter, hasBefore, loadAfter, loadBefore } from "./around.js";
export { deletions } from "./deletions.js";
export { eventsFirst } from "./settling.js";
export type { TokenProvider } from "./tokens.js";
export type { Random } from "./ids.js";
export { reduce, reduceAll } from "./reduce.js";
export { act, type Action, type Watched } from "./actions.js";
export { begin, EMPTY, type ChannelState, type ConnectionStatus, type State, type ThreadPlace, type Typing } from "./state.js";
export type { Act, Draft, Edit, Operation } from "./operations.js";
export {
  capabilitiesOf, channelList, channelOf, hasOlder, messagesAround, messagesIn, pinsIn, type ShownMessage, typingIn,
  unreadOf, type UnreadTotals,
} from "./selectors.js";
export type * from "./types.js";
