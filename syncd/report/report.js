"use strict";
// Sorting and filtering for tables of class "list". Nothing here is needed to read the page; nothing is sent anywhere.
const AT_ONCE = 500;
for (const table of document.querySelectorAll("table.list")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  let rows = [...body.rows];
  if (rows.length < 2) continue;
  const name = table.dataset.name;
  const texts = new Map();
  const text = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  const value = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.value ?? cell.textContent.trim();
  };
  const tools = document.createElement("div");
  tools.className = "tools";
  const control = (words, element) => {
    const label = document.createElement("label");
    label.append(words, document.createElement("br"), element);
    tools.append(label);
    return element;
  };
  const search = control("Filter " + name, document.createElement("input"));
  search.type = "search";
  const choices = [];
  heads.forEach((head, at) => {
    if (!("choice" in head.dataset)) return;
    const found = [...new Set(rows.map((row) => value(row, at)))].sort();
    if (found.length < 2) return;
    const select = control(head.textContent, document.createElement("select"));
    select.setAttribute("aria-label", head.textContent + " in " + name);
    select.add(new Option("all", ""));
    found.forEach((one, index) => select.add(new Option(one || "(none)", String(index + 1))));
    choices.push({ select, at, found });
  });
  const count = document.createElement("output");
  tools.append(count);
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  let shown = AT_ONCE;
  const refresh = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const asked = choices.filter((one) => one.select.value !== "");
    let matching = 0;
    for (const row of rows) {
      const fits =
        asked.every((one) => value(row, one.at) === one.found[Number(one.select.value) - 1]) &&
        words.every((word) => text(row).includes(word));
      row.hidden = !fits;
      if (fits) matching += 1;
      row.classList.toggle("later", fits && matching > shown);
    }
    const all = rows.length.toLocaleString("en");
    count.textContent =
      matching === rows.length ? all + " rows" : matching.toLocaleString("en") + " of " + all + " rows";
    count.className = matching === rows.length ? "whole" : "";
    const left = matching - shown;
    more.hidden = left <= 0;
    more.textContent = "Show the other " + left.toLocaleString("en") + " rows of " + name;
  };
  const again = () => {
    shown = AT_ONCE;
    refresh();
  };
  search.addEventListener("input", again);
  for (const one of choices) one.select.addEventListener("change", again);
  more.addEventListener("click", () => {
    shown = Infinity;
    refresh();
  });
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      const numbers = head.classList.contains("num");
      const keyed = rows.map((row) => [numbers ? Number(value(row, at) || -1) : value(row, at).toLowerCase(), row]);
      keyed.sort(([a], [b]) => (a < b ? -sign : a > b ? sign : 0));
      rows = keyed.map(([, row]) => row);
      body.append(...rows);
      refresh();
    });
  });
  table.parentElement.before(tools);
  table.parentElement.after(more);
  refresh();
}
