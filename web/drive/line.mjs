// How the console's line was while it talked. Runs in the page; nothing of this module's scope is there.

/** Keep every look that the console takes at its connection, in `window.__line`. */
export function watchLine() {
  window.__line = [];
  setInterval(() => {
    const look = document.querySelector("parley-console")?.snapshot?.network;
    if (look && look !== window.__last) window.__line.push((window.__last = look));
  }, 200);
}
