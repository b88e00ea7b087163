// Writing a campaign: inserts where the cursor is, the conditions of a chosen event, the member to be shown.
// Everything works without it: inserts can be typed, and buttons do the rest through the server.
(() => {
  "use strict";
  document.documentElement.classList.add("k-script");
  let last = null;

  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.("[data-insertable]")) last = event.target;
  });

  // The field that is being written in, if it is shown; else the text of the shown language.
  const target = () => {
    if (last?.isConnected && last.offsetParent !== null) return last;
    const language = document.querySelector("input[name=show]:checked")?.value;
    return document.getElementById(`id_${language}-body`);
  };

  document.addEventListener("click", (event) => {
    const chip = event.target.closest?.("[data-insert]");
    if (chip) {
      const field = target();
      if (!field || field.disabled) return;
      field.focus();
      field.setRangeText(chip.dataset.insert, field.selectionStart, field.selectionEnd, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    const pick = event.target.closest?.("[data-pick]");
    if (pick) {
      event.preventDefault();
      const box = document.getElementById("c-as");
      box.value = pick.dataset.pick;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      box.focus();
    }
  });

  // Another event has other conditions: the server draws them.
  document.addEventListener("change", (event) => {
    if (event.target.id !== "id_event") return;
    document.querySelector(".c-event-button")?.click();
  });
})();
