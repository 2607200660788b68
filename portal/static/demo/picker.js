/** The few emoji that people react with most. */
import { openMenu } from "./menu.js";

const EMOJI = [
  ["👍", "Thumbs up"], ["❤️", "Heart"], ["😂", "Laughing"], ["🎉", "Party"], ["😮", "Surprised"], ["😢", "Sad"],
  ["🙏", "Thanks"], ["👀", "Looking"], ["🔥", "Fire"], ["✅", "Done"], ["👏", "Applause"], ["🚀", "Rocket"],
];
const ITEMS = EMOJI.map(([text, name]) => ({ text, name, value: text }));

/** `chosen(emoji)`; `left()` gives the focus back. */
export function pickEmoji(button, chosen, left) {
  openMenu(button, { label: "React with", items: ITEMS, across: 6, className: "picker", chosen, left });
}
