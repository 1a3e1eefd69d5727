// Puts HTML of ours into the page, and leaves it when the next page has the same.
//
// st.html has it cleaned by a library in JavaScript, which for a list of contexts takes longer than
// all else that the list needs. The browser's own cleaning takes a tenth of that; where it has none,
// an allowlist of what our HTML is made of does.

const NAMES = ["class", "style", "title", "dir", "role", "aria-label"];
const TAGS = new Set(["b", "br", "code", "details", "div", "em", "h5", "h6", "i", "p", "pre", "s",
  "section", "small", "span", "summary", "u"]);

function natively(place, html) {
  const sanitizer = new Sanitizer(); // its default: nothing that runs or loads
  for (const name of NAMES) sanitizer.allowAttribute(name);
  for (const tag of ["details", "summary"]) sanitizer.allowElement(tag);
  sanitizer.setDataAttributes(true);
  place.setHTML(html, { sanitizer });
}

function byHand(place, html) {
  const { body } = new DOMParser().parseFromString(html, "text/html"); // runs and loads nothing
  for (const one of body.querySelectorAll("*")) {
    if (!TAGS.has(one.localName)) one.remove();
    for (const { name } of [...one.attributes]) {
      if (!NAMES.includes(name) && !name.startsWith("data-")) one.removeAttribute(name);
    }
  }
  place.replaceChildren(...body.childNodes);
}

export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".gloss-words");
  place.show = (html) => {
    if (html === place.shown) return;
    place.shown = html;
    (place.setHTML ? natively : byHand)(place, html);
  };
  place.sent = data.html; // what the server says, whatever is shown ahead of it
  place.show(data.html);
}
