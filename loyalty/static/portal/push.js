/* Lets this browser take notifications, on the page of consents. Without it, or where the browser cannot, the part that
   offers it stays hidden. */
(function () {
  "use strict";
  const part = document.querySelector("[data-push-key]");
  if (!part || !("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) return;
  const button = part.querySelector("button");
  const said = part.querySelector("[data-push-said]");

  function say(kind) {
    said.textContent = part.dataset[kind];
    said.hidden = false;
  }

  function keyBytes(text) {
    const padded = (text + "===".slice((text.length + 3) % 4)).replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
  }

  function isOurs(subscription) {
    const key = new Uint8Array(subscription.options.applicationServerKey || []);
    const ours = keyBytes(part.dataset.pushKey);
    return key.length === ours.length && key.every((byte, place) => byte === ours[place]);
  }

  async function subscribe() {
    if ((await Notification.requestPermission()) !== "granted") return say("denied");
    const registration = await navigator.serviceWorker.ready;
    const old = await registration.pushManager.getSubscription();
    if (old && !isOurs(old)) await old.unsubscribe();
    const subscription = await registration.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: keyBytes(part.dataset.pushKey),
    });
    const response = await fetch(part.dataset.pushUrl, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRFToken": part.querySelector("[name=csrfmiddlewaretoken]").value },
      body: JSON.stringify(subscription),
    });
    if (!response.ok) throw new Error(String(response.status));
    window.location.reload();
  }

  button.addEventListener("click", async () => {
    button.setAttribute("aria-busy", "true");
    try {
      await subscribe();
    } catch (error) {
      say("failed");
    }
    button.removeAttribute("aria-busy");
  });
  part.hidden = false;
})();
