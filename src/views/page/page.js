// Keeps the page live: when something new is delivered, the parts with an id that begins with "live-", and the summary,
// are fetched anew and replaced. Without this script the page shows the same and stands still.
"use strict";

(() => {
  const status = document.getElementById("stream");
  const pause = document.getElementById("pause");
  let paused = false;
  let timer;
  let busy = false;

  const say = (text) => {
    if (status.textContent !== text) status.textContent = text;
  };

  const parts = (root) => [...root.querySelectorAll("[id^='live-']"), ...root.querySelectorAll(".hero")];

  // What Tab stops at. Where that is replaced, the focus stays at its successor.
  const reachable = (part) => [...part.querySelectorAll("a[href], button, input, select, summary, [tabindex]")];

  async function refresh() {
    if (busy || paused) return;
    busy = true;
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      const active = document.activeElement;
      const place = active && active.getAttribute("href");
      const from = parts(document).findIndex((part) => part.contains(active));
      const order = from < 0 ? -1 : reachable(parts(document)[from]).indexOf(active);
      const news = parts(fresh);
      parts(document).forEach((part, at) => {
        if (news[at] && part.outerHTML !== news[at].outerHTML) part.replaceWith(news[at]);
      });
      if (from >= 0 && !document.contains(active)) {
        const there = reachable(parts(document)[from]);
        const again = there.find((element) => place && element.getAttribute("href") === place) ?? there[order];
        if (again) again.focus({ preventScroll: true });
      }
    } catch {
      say("Connection lost, trying again");
    } finally {
      busy = false;
    }
  }

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, 300);
  };

  const source = new EventSource("/api/v1/events");
  source.addEventListener("open", () => { say(paused ? "Paused" : "Live"); soon(); });
  source.addEventListener("error", () => say("Connection lost, trying again"));
  source.addEventListener("delivery", soon);
  source.addEventListener("missed", soon);

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    say(paused ? "Paused" : "Live");
    if (!paused) refresh();
  });
})();
