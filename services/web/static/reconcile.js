// Bring a list to the state of a fresh copy of it, touching only what differs: focus, selection and scroll stay.

export function reconcile(current, fresh) {
  const held = document.activeElement;
  const heldKey = current.contains(held) ? held.closest("[data-key]")?.dataset.key : null;
  const old = new Map([...current.children].map((child) => [child.dataset.key, child]));
  let place = current.firstElementChild;
  for (const child of [...fresh.children]) {
    let item = old.get(child.dataset.key);
    old.delete(child.dataset.key);
    if (!item || item.dataset.version !== child.dataset.version) {
      const made = document.importNode(child, true);
      if (item) {
        if (place === item) place = made;
        item.replaceWith(made);
      }
      item = made;
    }
    if (item === place) place = place.nextElementSibling;
    else current.insertBefore(item, place);
  }
  for (const gone of old.values()) gone.remove();
  if (heldKey && !current.contains(document.activeElement)) {
    const again = [...current.children].find((child) => child.dataset.key === heldKey);
    again?.querySelector("a, button")?.focus({ preventScroll: true });
  }
}
