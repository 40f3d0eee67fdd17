"use strict";
// runs before the terminal connects: where that goes, and what it may not do
const terminal = document.getElementById("terminal");
terminal.dataset.sessionWebsocketUrl = new URL("ws", location.href).href.replace(/^http/, "ws");
document.getElementById("again").addEventListener("click", () => location.reload());
document.getElementById("again").addEventListener("keydown", (event) => event.stopPropagation());
new MutationObserver(() => {
  const focus = document.body.classList.contains("-closed") ? "#again" : ".xterm-helper-textarea";
  document.querySelector(focus)?.focus();
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
