"""The tokens of a text as chips that can be chosen; the only custom component.

A component, because a click on a token must reach Python. Its script writes texts as text, never as
HTML; classes are those of style/try_text.css.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import streamlit as st

from core.drawing.spans import plain
from dashboard.scripts import script

KEY = "try.chips"

# data: chips [[place, text, level, about, whether rules claim it, whether
# the text was cut before it]], as in Chip; features {address:
# words}, chosen [places], hint
SCRIPT = """
export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".chips");
  if (!root) {
    root = document.createElement("div");
    root.className = "fx chips";
    root.append(document.createElement("div"), document.createElement("p"));
    root.firstChild.className = "all";
    root.firstChild.dir = "auto";
    root.lastChild.className = "mut";
    parentElement.appendChild(root);
  }
  const [all, said] = root.children;
  const chosen = new Set(data.chosen);
  const places = data.chips.map((row) => row[0]);
  const focused = document.activeElement && document.activeElement.dataset.place;
  const say = (words) => { said.textContent = words || data.hint; };
  say("");
  all.replaceChildren();
  for (const [place, text, level, about, claimed, cut] of data.chips) {
    const chip = document.createElement("span");  // a button would not flow over a line's end
    chip.role = "button";
    chip.tabIndex = 0;
    chip.className = "tk" + (level ? " a" + level : "") + (claimed ? " m" : "")
      + (cut ? " cut" : "");
    chip.dataset.place = place;
    chip.textContent = text;
    chip.setAttribute("aria-pressed", chosen.has(place));
    chip.setAttribute("aria-label", text + ": " + about.join(" "));
    const words = [...about, data.features[about[0]] ?? ""].filter((part) => part).join(" · ");
    chip.onmouseenter = chip.onfocus = () => say("“" + text.trimEnd() + "” · " + words);
    chip.onmouseleave = chip.onblur = () => say("");
    chip.onclick = (event) => {
      const before = places.indexOf(Number(root.dataset.last ?? -1));
      if (event.shiftKey && before >= 0) {
        const [a, b] = [before, places.indexOf(place)].sort((x, y) => x - y);
        places.slice(a, b + 1).forEach((one) => chosen.add(one));
      } else if (chosen.has(place)) chosen.delete(place);
      else chosen.add(place);
      root.dataset.last = place;
      for (const one of all.children)
        one.setAttribute("aria-pressed", chosen.has(Number(one.dataset.place)));
      setTriggerValue("chosen", [...chosen].sort((x, y) => x - y));
    };
    chip.onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      chip.onclick(event);
    };
    all.appendChild(chip);
    if (String(place) === focused) chip.focus();
  }
}
"""
HINT = "Point at a token to see what fires there; click tokens to sort by them, with shift a range."


class Chip(NamedTuple):
    """One token as it is drawn."""

    place: int  # in the text
    level: int  # shade, 0 none
    about: tuple[str, ...]  # said when one points at it; the first may be a feature's address
    is_claimed: bool  # by the rules of the chosen feature
    is_cut: bool = False  # the text was cut before it


def show(
    pieces: Sequence[str],
    drawn: Sequence[Chip],
    words: Mapping[str, str],
    chosen: Sequence[int],
    choose: Callable[[list[int]], None],
) -> None:
    """Draw the chips; a click hands the places chosen to `choose`.

    words: what the features mean that the chips speak of, by address.
    """
    chips = [
        [chip.place, _text(pieces[chip.place]), chip.level, [plain(part) for part in chip.about],
         chip.is_claimed, chip.is_cut]
        for chip in drawn
    ]  # fmt: skip
    used = {chip.about[0] for chip in drawn if chip.about}
    data = {
        "chips": chips,
        "features": {plain(name): plain(text) for name, text in words.items() if name in used},
        "chosen": list(chosen),
        "hint": HINT,
    }
    places = [chip.place for chip in drawn]
    script("gloss_tokens", SCRIPT)(
        data=data, key=KEY, on_chosen_change=lambda: choose(_clicked(places))
    )


def _text(piece: str) -> str:
    """A token with its hidden characters shown; a run of newlines breaks the line once."""
    before, newline, after = piece.rpartition("\n")
    return plain(before + newline) + newline + plain(after)


def _clicked(places: Sequence[int]) -> list[int]:
    """The places that the browser sent; whatever is no place of the text is left out."""
    sent = getattr(st.session_state.get(KEY), "chosen", None)
    return sorted(set(sent) & set(places)) if isinstance(sent, list) else []
