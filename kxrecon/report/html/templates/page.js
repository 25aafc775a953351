"use strict";
// Filter, copy and open: the page reads the same without any of it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const cards = all("[data-tags]").map((element) => ({ element, tags: element.dataset.tags.split(" "), text: null }));
  const groups = all("[data-group]");
  const input = document.getElementById("find");
  const shown = document.getElementById("shown");
  const unfold = document.getElementById("unfold");
  const chosen = new Map(); // facet → tags

  const text = (card) => (card.text ??= card.element.textContent.toLowerCase());
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const facets = [...chosen.values()].filter((tags) => tags.size);
    let number = 0;
    for (const card of cards) {
      const fits = facets.every((tags) => card.tags.some((tag) => tags.has(tag))) && words.every((word) => text(card).includes(word));
      if (card.element.hidden === fits) card.element.hidden = !fits;
      number += fits;
    }
    for (const group of groups) group.hidden = !group.querySelector("[data-tags]:not([hidden])");
    document.getElementById("none").hidden = number > 0;
    shown.textContent = number === cards.length ? `${number} shown` : `${number} of ${cards.length} shown`;
    label();
  };

  const foldable = () => all("#entries [data-tags]:not([hidden]) > details");
  const label = () => {
    unfold.textContent = foldable().every((one) => one.open) ? "Close all" : "Open all";
  };

  const waiting = new Map(); // what is asked for many times in a row is done once
  const soon = (what) => {
    cancelAnimationFrame(waiting.get(what));
    waiting.set(what, requestAnimationFrame(what));
  };

  const choose = (button) => {
    const { choose: tag, facet } = button.dataset;
    const tags = chosen.get(facet) ?? chosen.set(facet, new Set()).get(facet);
    tags.has(tag) ? tags.delete(tag) : tags.add(tag);
    button.setAttribute("aria-pressed", String(tags.has(tag)));
    filter();
  };
  const copy = async (button) => {
    const source = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source); // no clipboard here: it is selected, so that Ctrl-C copies it
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target?.matches("[data-tags]")) return;
    target.hidden = false;
    const fold = target.querySelector("details");
    if (fold) fold.open = true;
    target.scrollIntoView();
    target.querySelector("summary")?.focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches(".copy")) copy(button);
    else if (button?.matches("[data-choose]")) choose(button);
    else if (button === unfold && button) {
      const folds = foldable();
      const open = folds.some((one) => !one.open);
      for (const one of folds) one.open = open;
      label();
    }
  });

  const keys = (event) => {
    const typing = event.target.closest("input, textarea, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    } else if (event.key === "Escape" && event.target === input) {
      input.value = "";
      filter();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && event.target.matches("#find, .card > details > summary")) {
      const stops = [input, ...all(".card:not([hidden]) > details > summary")];
      const next = stops[stops.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
      event.preventDefault();
      next?.focus();
    }
  };

  let folded = [];
  addEventListener("beforeprint", () => {
    if (!document.body.classList.contains("whole")) return;
    folded = all(".card > details:not([open], .well)");
    for (const one of folded) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
    folded = [];
  });

  for (const one of all("[data-script]")) one.hidden = false;
  if (!input) return;
  input.addEventListener("input", () => soon(filter));
  document.addEventListener("keydown", keys);
  document.addEventListener("toggle", () => soon(label), true);
  addEventListener("hashchange", reveal);
  filter();
  if (location.hash) reveal();
})();
