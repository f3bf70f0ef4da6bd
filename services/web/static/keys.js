// One-key commands, and the list of them that the help shows. They sleep while a person types, while a modifier is held
// and while a dialog is open.

const TYPING = "input:not([type=radio]):not([type=checkbox]):not([type=range]):not([type=file]), textarea, select";
const NAMES = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc" };
const listed = [];

// `commands` is {key: {run, repeats, help}}. A command with `help` is in the list of shortcuts.
export function listen(commands, gestures = []) {
  listed.push([commands, gestures]);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.(TYPING)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    const command = commands[event.key];
    if (!command) return;
    // A held key repeats movement, never an act such as saving.
    if (event.repeat && !command.repeats) {
      event.preventDefault();
      return;
    }
    if (command.run(event) !== false) event.preventDefault();
  });
}

// What the commands say of themselves, keys of one meaning together: [[keys], text] in the order of their first key.
export function shortcutsOf(lists) {
  const found = new Map();
  const add = (text, key) => found.set(text, [...(found.get(text) ?? []), key]);
  for (const [commands, gestures] of lists) {
    for (const [key, { help }] of Object.entries(commands)) if (help) add(help, NAMES[key] ?? key);
    for (const [name, text] of gestures) add(text, name);
  }
  return [...found].map(([text, keys]) => [keys, text]);
}

export const shortcuts = () => shortcutsOf(listed);
