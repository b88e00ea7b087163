/* The portal's little helpers. Everything works without them: they show passwords, announce what htmx swapped,
   keep the card for use without a network and tell when there is none. */
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const CARD_CACHE = "kantis-card";

  function ready(run) {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", run);
    else run();
  }

  function announce(text) {
    const live = document.querySelector("[data-live]");
    if (!live || !text) return;
    live.textContent = "";
    window.setTimeout(() => { live.textContent = text; }, 60);
  }

  function failed(kind) {
    const live = document.querySelector("[data-live]");
    const text = live && live.dataset[kind];
    if (!text) return;
    let notice = document.querySelector("[data-failure]");
    if (!notice) {
      notice = document.createElement("p");
      notice.className = "notice notice--error";
      notice.dataset.failure = "";
      const main = document.getElementById("main");
      (main.querySelector("[data-entrance], .manage") || main).prepend(notice);
    }
    notice.textContent = text;
    announce(text);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-password] button");
    if (!button) return;
    const input = button.parentElement.querySelector("input");
    const show = input.type === "password";
    input.type = show ? "text" : "password";
    button.setAttribute("aria-pressed", String(show));
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    const button = event.submitter;
    if (button) button.setAttribute("aria-busy", "true");
  });

  /* A button that copies; without scripts or the right to copy, the text beside it is there to be selected. */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
      announce(button.dataset.copied);
    } catch (error) {
      window.getSelection().selectAllChildren(document.getElementById(button.dataset.from));
    }
  });

  /* A button that opens the phone's own way to share; where there is none it stays away, and copying is there. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-share]");
    if (!button) return;
    navigator.share({ title: button.dataset.title, text: button.dataset.share }).catch(() => undefined);
  });
  ready(() => {
    if (!navigator.share) return;
    document.querySelectorAll("[data-share]").forEach((button) => { button.hidden = false; });
  });

  /* htmx: say what changed, and put the focus on the first new entry after "show more". */
  document.addEventListener("htmx:afterSettle", (event) => {
    const said = event.detail.elt.querySelector("[data-announce]") || event.detail.elt.closest("[data-announce]");
    if (said) announce(said.dataset.announce);
    const first = event.detail.elt.querySelector("[data-focus]");
    if (first) {
      first.focus({ preventScroll: true });
      first.removeAttribute("data-focus");
    }
  });
  document.addEventListener("htmx:responseError", () => failed("failed"));
  document.addEventListener("htmx:sendError", () => failed("failed"));
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    failed("passkeyFailed");
  });

  function showConnection() {
    const line = document.querySelector("[data-offline]");
    if (line) line.hidden = navigator.onLine;
  }
  window.addEventListener("online", showConnection);
  window.addEventListener("offline", showConnection);

  ready(() => {
    showConnection();
    if (!("serviceWorker" in navigator) || !("caches" in window)) return;
    if (root.hasAttribute("data-member")) {
      navigator.serviceWorker.register("/service-worker.js").catch(() => undefined);
    } else if (!document.querySelector("[data-keep-card]")) {
      caches.delete(CARD_CACHE).catch(() => undefined);
    }
  });
})();
