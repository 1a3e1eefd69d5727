// Shows the next feature at the press of a key: its words and its figure came with the page before.
//
// The press goes to the server as ever, and what comes back equals what is shown or takes its
// place. Should nothing come back, what was there before returns.

const PATIENCE = 4000; // milliseconds
// Where the keys are somebody else's.
const TYPED = "input, textarea, select, [contenteditable=true], [role=radio]";
const PLACES = {
  list: ".st-key-list .gloss-words",
  card: ".st-key-cards .gloss-words",
  facts: ".st-key-facts .gloss-words",
};
const FIGURE = ".st-key-figure-box .gloss-chart";
const NUMBER = ".st-key-head input";

// What stands at a place of the page; nothing while its own component has not filled it yet.
function filled(at) {
  const place = document.querySelector(at);
  return place?.show && place;
}

function places() {
  return Object.fromEntries(Object.entries(PLACES).map(([name, at]) => [name, filled(at)]));
}

function turn(key) {
  const state = window.glossAhead;
  const { data, of } = state.sent ?? {};
  const here = places();
  const number = document.querySelector(NUMBER);
  // A filter may have changed the list since.
  if (data?.key !== key || !number || !Object.values(here).every(Boolean)) return;
  if (here.list.shown !== of || document.querySelector("[role=dialog]")) return;
  state.sent = undefined; // for one press
  const before = Object.fromEntries(Object.entries(here).map(([name, at]) => [name, at.shown]));
  const old = number.value;
  for (const name in here) here[name].show(data[name]);
  number.value = data.feature;
  const undone = redrawn(data);
  state.undo = setTimeout(() => {
    for (const name in here) if (here[name].shown === data[name]) here[name].show(before[name]);
    number.value = old;
    undone?.();
  }, PATIENCE);
}

function redrawn(data) {
  const chart = filled(FIGURE);
  if (!chart || !data.figure) return undefined;
  const before = chart.wanted;
  // A frame later: the words are painted first.
  requestAnimationFrame(() => {
    if (chart.wanted === before) {
      chart.show({ ...before, figure: data.figure, height: data.height });
    }
  });
  return () => chart.wanted.figure === data.figure && chart.show(before);
}

function listen() {
  window.glossAhead = {};
  window.addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    if (isPlain && !event.target.closest?.(TYPED)) turn(event.key);
  }, true);
  window.addEventListener("click", (event) => {
    const words = event.target.closest?.(".st-key-head button")?.innerText ?? "";
    if (words.includes("Next")) turn("ArrowRight");
    if (words.includes("Previous")) turn("ArrowLeft");
  }, true);
}

// What the server sent stands again. Two pages that come at once, forth and back, leave a component
// with what it had: it hears of neither.
function settle(feature) {
  for (const place of Object.values(places())) if (place) place.show(place.sent);
  const chart = filled(FIGURE);
  if (chart && chart.wanted !== chart.sent) chart.show(chart.sent);
  const number = document.querySelector(NUMBER);
  if (number && number !== document.activeElement) number.value = feature;
}

// Called for every page that has come, with what may be shown after it; without words when the page
// that follows looks otherwise.
export default function ({ data }) {
  if (!window.glossAhead) listen();
  const state = window.glossAhead;
  clearTimeout(state.undo);
  settle(data.of);
  state.sent = data.list && { data, of: document.querySelector(PLACES.list)?.shown };
  return () => {
    clearTimeout(state.undo);
    state.sent = undefined;
  };
}
