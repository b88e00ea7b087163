// The condition builder in place: what its submit buttons do through the server, done in the page.
(() => {
  "use strict";

  const make = (tag, attributes = {}, text = "") => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };

  const builderOf = (element) => element.closest("[data-conditions]");
  const words = (builder) => builder.querySelector("template[data-words]").dataset;
  const catalogue = (builder) => {
    builder.catalogue ??= JSON.parse(builder.querySelector('script[type="application/json"]').textContent);
    return builder.catalogue;
  };

  const select = (name, label, options, empty) => {
    const element = make("select", { name, "aria-label": label });
    if (empty) element.append(make("option", { value: "" }, empty));
    for (const [value, text] of options) element.append(make("option", { value }, text));
    return element;
  };

  const input = (name, about, op, say) => {
    const label = { name, "aria-label": say.value };
    if (op === "within_last" || op === "within_next") return make("input", { ...label, type: "number", min: 1, step: 1 });
    if (about.options.length) return select(name, say.value, about.options, say.choose);
    switch (about.type) {
      case "boolean": return select(name, say.value, [["true", say.yes], ["false", say.no]]);
      case "integer": return make("input", { ...label, type: "number", step: 1 });
      case "decimal": return make("input", { ...label, type: "text", inputmode: "decimal" });
      case "date": return make("input", { ...label, type: "date" });
      case "datetime": return make("input", { ...label, type: "datetime-local", step: 1 });
      default: return make("input", { ...label, type: "text", maxlength: 200 });
    }
  };

  const many = (name, about, say) => {
    if (!about.options.length) {
      return make("textarea", { name, rows: 3, "aria-label": say.values, placeholder: say.values });
    }
    const element = select(name, say.value, about.options);
    element.multiple = true;
    element.size = Math.min(8, about.options.length);
    return element;
  };

  const controls = (name, about, op, say) => {
    if (op === "is_set") return [];
    if (op === "in") return [many(`${name}-v`, about, say)];
    const first = input(`${name}-v`, about, op, say);
    const unit = op === "within_last" || op === "within_next" ? say.days : about.unit;
    const tail = unit ? [make("span", {}, unit)] : [];
    if (op !== "between") return [first, ...tail];
    return [first, make("span", {}, say.between), input(`${name}-w`, about, op, say), ...tail];
  };

  const aboutRow = (row) => {
    const builder = builderOf(row);
    const known = catalogue(builder)[row.dataset.subject];
    const chosen = row.querySelector("[data-about]").value;
    return row.dataset.kind === "rows" ? known.relations[row.dataset.relation][chosen] : known.fields[chosen];
  };

  const drawValues = (row, about) => {
    const place = row.querySelector("[data-values]");
    const before = place.querySelector("input, select, textarea");
    place.replaceChildren(
      ...controls(row.dataset.node, about, row.querySelector("[data-op]").value, words(builderOf(row))));
    const after = place.querySelector("input, select, textarea");
    if (before && after && before.tagName === after.tagName && before.type === after.type) after.value = before.value;
  };

  const drawTest = (row) => {
    const place = row.querySelector("[data-test]");
    const about = aboutRow(row);
    place.replaceChildren();
    if (!about) return;
    const op = select(`${row.dataset.node}-o`, row.querySelector("[data-about]").ariaLabel, about.ops);
    op.dataset.op = "";
    const values = make("span", { class: "conditions-values" });
    values.dataset.values = "";
    place.append(op, values);
    drawValues(row, about);
    row.querySelector(":scope > .conditions-line [data-about] > option[value='']:not(:checked)")?.toggleAttribute(
      "hidden", row.dataset.kind === "compare");
  };

  const add = (button) => {
    const builder = builderOf(button);
    const group = button.closest("[data-kind='group']");
    const children = group.querySelector(":scope > [data-children]");
    const numbers = [...children.children].map((child) => Number(child.dataset.node.split("-").pop()));
    const name = `${group.dataset.node}-${Math.max(-1, ...numbers) + 1}`;
    const blank = [...builder.querySelectorAll(":scope > template[data-new]")].find(
      (each) => each.dataset.new === button.dataset.add && each.dataset.subject === group.dataset.subject);
    const holder = make("template");
    holder.innerHTML = blank.innerHTML.replaceAll(`${builder.dataset.conditions}-NEW`, name);
    const row = holder.content.firstElementChild;
    children.append(row);
    enhance(row);
    row.querySelector("[data-about], select")?.focus();
    changed(builder, "added");
  };

  const remove = (button) => {
    const builder = builderOf(button);
    const row = button.closest("[data-node]");
    const group = row.parentElement.closest("[data-kind='group']");
    row.remove();
    group.querySelector(":scope > .conditions-adds > button").focus();
    changed(builder, "removed");
  };

  const changed = (builder, what) => {
    builder.querySelector("[data-sentence]").hidden = true;
    builder.querySelector("[data-stale]").hidden = false;
    const status = builder.querySelector("[data-status]");
    status.textContent = what ? status.dataset[what] : "";
  };

  // Asks the server to check the form (it saves nothing then) and takes this builder out of the page it answers.
  const check = async (button) => {
    const builder = builderOf(button);
    const body = new FormData(button.form);
    body.set(button.name, button.value);
    button.disabled = true;
    try {
      const answer = await fetch(button.form.getAttribute("action") || location.href, { method: "POST", body });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(builder.id);
      if (!answer.ok || answer.redirected || !fresh) throw new Error("no builder in the answer");
      builder.replaceChildren(...fresh.childNodes);
      builder.catalogue = undefined;
      enhance(builder);
      const problem = builder.querySelector(".conditions-problems");
      const status = builder.querySelector("[data-status]");
      status.textContent = (problem ?? builder.querySelector("[data-sentence]")).textContent.trim();
      const row = problem?.closest("[data-node]") ?? builder;
      row.querySelector(problem ? "select" : "[data-check]").focus();
    } catch {
      button.disabled = false;
      button.type = "submit";
      button.click();
    }
  };

  const enhance = (root) => {
    root.querySelector(".conditions-enter")?.remove();
    for (const button of root.querySelectorAll("[data-add], [data-remove], [data-check]")) button.type = "button";
  };

  const start = () => {
    for (const builder of document.querySelectorAll("[data-conditions]")) {
      enhance(builder);
      builder.addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (button?.dataset.add) add(button);
        else if (button && "remove" in button.dataset) remove(button);
        else if (button?.type === "button" && "check" in button.dataset) check(button);
      });
      builder.addEventListener("input", (event) => {
        const row = event.target.closest("[data-node]");
        if ("about" in event.target.dataset) drawTest(row);
        else if ("op" in event.target.dataset) drawValues(row, aboutRow(row));
        changed(builder);
      });
    }
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
