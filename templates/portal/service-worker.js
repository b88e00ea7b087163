{% load static portal %}{% the_programme as programme %}/* Keeps the card and what it needs to be drawn for use without a network, and shows notifications. Nothing else is kept. */
"use strict";
const SHELL = "kantis-shell-1";
const CARD = "kantis-card";
const CARD_PATH = "{% url 'card' %}";
const OFFLINE_PATH = "{% url 'offline' %}";
const ASSETS = ["{% static 'portal/portal.css' %}", "{% static 'portal/portal.js' %}", "{% static 'portal/lake.svg' %}", "{% static 'portal/icon.svg' %}", OFFLINE_PATH];

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const shell = await caches.open(SHELL);
    await shell.addAll(ASSETS);
    try { await keepCard(await fetch(CARD_PATH, { credentials: "same-origin" })); } catch (error) { /* later */ }
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("kantis-") && name !== SHELL && name !== CARD) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

/* A card that came with a log-in page instead belongs to nobody who is signed in: forget the old one. */
async function keepCard(response) {
  if (response.redirected || response.status === 401 || response.status === 403) await caches.delete(CARD);
  else if (response.ok) await (await caches.open(CARD)).put(CARD_PATH, response.clone());
  return response;
}

self.addEventListener("fetch", (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith((async () => {
      try {
        const response = await fetch(request);
        return url.pathname === CARD_PATH ? await keepCard(response) : response;
      } catch (error) {
        const kept = url.pathname === CARD_PATH ? await caches.match(CARD_PATH, { cacheName: CARD }) : undefined;
        return kept || (await caches.match(OFFLINE_PATH)) || Response.error();
      }
    })());
  } else if (ASSETS.includes(url.pathname)) {
    event.respondWith((async () => {
      try {
        const response = await fetch(request);
        if (response.ok) await (await caches.open(SHELL)).put(request, response.clone());
        return response;
      } catch (error) {
        return (await caches.match(request)) || Response.error();
      }
    })());
  }
});

/* A notification that a member let this browser take. What is in it was written by campaigns/channels/push.py. */
self.addEventListener("push", (event) => {
  let told = {};
  try { told = event.data ? event.data.json() : {}; } catch (error) { /* shown without words of its own */ }
  event.waitUntil(self.registration.showNotification(told.title || "{{ programme.name|escapejs }}", {
    body: told.body || "",
    tag: told.tag || undefined,
    lang: told.lang || undefined,
    icon: "{% static 'portal/icon-192.png' %}",
    data: { url: told.url || "/" },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL((event.notification.data || {}).url || "/", self.location.origin);
  if (url.protocol !== "https:" && url.origin !== self.location.origin) return;
  event.waitUntil(self.clients.openWindow(url.href));
});
