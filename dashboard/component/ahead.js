// Shows the words of the next feature at the press of a key: they came with the page before it.
//
// The press goes to the server as ever, and what comes back equals these words or takes their
// place. Should nothing come back, the old ones return.

const PATIENCE = 4000; // milliseconds
const TYPED = "input, textarea, select, [contenteditable=true]";
const LIST = ".st-key-list .gloss-words";
const CARD = ".st-key-cards .gloss-words";

function turn(key) {
  const state = window.glossAhead;
  const { data, of } = state.sent ?? {};
  const [list, card] = [document.querySelector(LIST), document.querySelector(CARD)];
  const number = document.querySelector(".st-key-head input");
  // A filter may have changed the list since.
  if (data?.key !== key || !list || list.shown !== of || !card || !number) return;
  if (document.querySelector("[role=dialog]")) return;
  state.sent = undefined; // these words are for one press
  const old = { list: list.shown, card: card.shown, number: number.value };
  list.show(data.list);
  card.show(data.card);
  number.value = data.feature;
  state.undo = setTimeout(() => {
    if (list.shown === data.list) list.show(old.list);
    if (card.shown === data.card) card.show(old.card);
    number.value = old.number;
  }, PATIENCE);
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

// Called when a page has come, with what may be shown after it; without words when the page that
// follows looks otherwise.
export default function ({ data }) {
  if (!window.glossAhead) listen();
  const state = window.glossAhead;
  clearTimeout(state.undo);
  state.sent = data.list && { data, of: document.querySelector(LIST)?.shown };
  return () => {
    clearTimeout(state.undo);
    state.sent = undefined;
  };
}
