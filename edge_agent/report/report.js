"use strict";
// The page is complete in Chinese without this. It adds the language switch, the filter and jumps that keep both.
(() => {
  const root = document.documentElement;
  const attributes = ["aria-label", "alt", "data-words"];
  const cards = [...document.querySelectorAll(".card")];
  const marks = [...document.querySelectorAll(".mark")];
  const chips = [...document.querySelectorAll(".chip")];
  const status = document.querySelector(".shown");
  let filter = "";

  const speak = (lang) => {
    if (lang === root.dataset.lang) return;
    const from = lang === "en" ? "en" : "zh";
    for (const node of document.querySelectorAll("[data-en]")) {
      if (!("zh" in node.dataset)) node.dataset.zh = node.textContent;
      node.textContent = node.dataset[from];
    }
    for (const name of attributes) {
      for (const node of document.querySelectorAll(`[data-en-${name}]`)) {
        if (!node.hasAttribute(`data-zh-${name}`)) node.setAttribute(`data-zh-${name}`, node.getAttribute(name));
        node.setAttribute(name, node.getAttribute(`data-${from}-${name}`));
      }
    }
    root.lang = lang === "en" ? "en" : "zh-CN";
    root.dataset.lang = lang;
    for (const button of document.querySelectorAll("[data-lang][aria-pressed]")) {
      button.setAttribute("aria-pressed", String(button.dataset.lang === lang));
    }
    count();
  };

  const passes = (card) =>
    !filter || (filter === "flagged" ? "flagged" in card.dataset : card.dataset.verdict === filter);

  const count = () => {
    if (!status) return;
    const shown = cards.filter((card) => !card.hidden).length;
    status.hidden = shown === cards.length;
    status.textContent = status.dataset.words.replace("{shown}", shown).replace("{all}", cards.length);
    document.getElementById("none-shown").hidden = shown > 0 || cards.length === 0;
  };

  const choose = (wanted) => {
    filter = wanted;
    const verdicts = new Set();
    for (const card of cards) {
      card.hidden = !passes(card);
      if (!card.hidden) verdicts.add(card.dataset.verdict);
    }
    for (const mark of marks) mark.classList.toggle("dim", Boolean(filter) && !verdicts.has(mark.dataset.verdict));
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.filter === filter));
    count();
  };

  // the address keeps language and place: #en, #s12, #en/s12
  const hashFor = (lang, place) => [lang === "en" ? "en" : "", place].filter(Boolean).join("/");

  const arrive = () => {
    const parts = location.hash.slice(1).split("/").filter(Boolean);
    speak(parts.includes("en") ? "en" : "zh");
    const place = parts.find((part) => part !== "en");
    const target = place ? document.getElementById(place) : null;
    for (const card of cards) card.classList.toggle("current", card === target);
    if (!target) return;
    if (target.hidden) choose("");
    target.scrollIntoView({ block: "start" });
    target.focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link) {
      event.preventDefault();
      const wanted = hashFor(root.dataset.lang, link.getAttribute("href").slice(1));
      if (location.hash.slice(1) === wanted) arrive();
      else location.hash = wanted;
      return;
    }
    const button = event.target.closest("button");
    if (button && "filter" in button.dataset) choose(button.dataset.filter === filter ? "" : button.dataset.filter);
    if (button && "lang" in button.dataset) {
      speak(button.dataset.lang);
      const place = location.hash.slice(1).split("/").find((part) => part && part !== "en");
      history.replaceState(null, "", `#${hashFor(button.dataset.lang, place)}`);
    }
  });

  // what is folded at the end of the page is printed unfolded
  const folded = [...document.querySelectorAll(".method details:not([open])")];
  window.addEventListener("beforeprint", () => folded.forEach((part) => { part.open = true; }));
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));

  root.classList.add("js");
  document.querySelector(".switch").hidden = false;
  window.addEventListener("hashchange", arrive);
  root.dataset.lang = "zh";
  arrive();
})();
