// One-key commands. They sleep while a person types, while a modifier is held and while a dialog is open.

const TYPING = "input:not([type=radio]):not([type=checkbox]):not([type=range]):not([type=file]), textarea, select";

export function listen(commands) {
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
