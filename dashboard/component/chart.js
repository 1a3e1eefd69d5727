// Draws a Plotly figure, and draws the next one into the same place.
//
// Streamlit's own chart is taken down and made anew for every new figure. Here the drawing stays
// and Plotly changes what differs, after the browser has painted the text around it. Plotly comes
// from our server once (see server.py); it is no part of what a change of page sends.

const LIGHT_DARK = /light-dark\(([^,()"]+),\s*([^()"]+)\)/g; // a picture of a chart has no scheme
const PLACE = /var\(--chart-(\d+)\)/g; // a place in the theme's colours of charts

function plotly(version) {
  window.glossPlotly ??= new Promise((resolve, reject) => {
    const entry = document.querySelector('script[src*="static/js/"]').src;
    const script = document.createElement("script");
    script.src = entry.replace(/static\/js\/.*/, `charts/plotly.${version}.js`);
    const failed = () => {
      window.glossPlotly = undefined;
      reject(new Error("charts need the server that `gloss serve` starts"));
    };
    // A server that knows no such file may answer with a page.
    script.onload = () => (window.Plotly ? resolve(window.Plotly) : failed());
    script.onerror = failed;
    document.head.append(script);
  });
  return window.glossPlotly;
}

function list(colours) {
  return colours.split(/,(?![^(]*\))/).map((one) => one.trim());
}

function isDark(colour) {
  const [r, g, b] = colour.match(/[\d.]+/g).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

// What Streamlit's theme says of text, lines and the order of colours, as a template of Plotly's.
function template(place) {
  const style = getComputedStyle(place);
  const of = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const scale = (name) => {
    const colours = list(of(name));
    return colours.map((colour, k) => [k / (colours.length - 1), colour]);
  };
  const sequential = scale("chart-sequential-colors");
  const [text, line, page] = [of("text-color"), of("border-color"), of("background-color")];
  const axis = {
    gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, zeroline: false,
    ticks: "", automargin: true,
  };
  return {
    data: {
      scatter: [{ marker: { line: { width: 0 } } }],
      heatmap: [{ colorscale: sequential }],
    },
    layout: {
      font: { family: of("font"), color: text, size: 12 },
      colorway: list(of("chart-categorical-colors")),
      colorscale: { sequential, diverging: scale("chart-diverging-colors") },
      coloraxis: { colorbar: { outlinewidth: 0, ticks: "" } },
      paper_bgcolor: page, plot_bgcolor: page,
      xaxis: { ...axis, showgrid: false }, yaxis: axis,
      hoverlabel: { bgcolor: page, bordercolor: line, font: { color: text } },
      legend: { bgcolor: "rgba(0,0,0,0)" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: style.color, activecolor: of("primary-color") },
    },
  };
}

function config(name) {
  return {
    displaylogo: false,
    displayModeBar: true,
    modeBarButtons: [["toImage"]],
    toImageButtonOptions: { format: "png", scale: 2, filename: name },
  };
}

async function draw(place) {
  const library = await plotly(place.wanted.version);
  const { figure, name } = place.wanted;
  const page = getComputedStyle(place).backgroundColor;
  const state = [figure, page, place.clientWidth].join();
  if (!place.clientWidth || state === place.state) return;
  place.state = state;
  const theme = template(place);
  const coloured = figure
    .replace(LIGHT_DARK, isDark(page) ? "$2" : "$1")
    .replace(PLACE, (_, place) => theme.layout.colorway[place - 1]);
  const { data, layout } = JSON.parse(coloured);
  const whole = { ...layout, template: theme, width: place.clientWidth };
  const isNew = !place.classList.contains("js-plotly-plot");
  if (isNew) place.replaceChildren(); // words of an earlier failure
  await library.react(place, data, whole, config(name));
  if (isNew) place.on("plotly_click", (event) => place.clicked(event.points[0].customdata));
}

function say(place, error) {
  const words = document.createElement("p");
  words.textContent = `No chart: ${error.message}`;
  place.replaceChildren(words);
}

function soon(place) {
  if (place.waits) return;
  place.waits = true;
  requestAnimationFrame(() => setTimeout(() => {
    place.waits = false;
    draw(place).catch((error) => say(place, error));
  }));
}

// Called for the first figure, for each that follows it, and when the theme changes.
export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".gloss-chart");
  place.clicked = (what) => setTriggerValue("clicked", what ?? null);
  place.show = (wanted) => {
    place.style.height = `${wanted.height}px`;
    place.wanted = wanted;
    soon(place);
  };
  place.sent = data; // what the server says, whatever is shown ahead of it
  place.show(data);
  if (!place.sizes) {
    place.sizes = new ResizeObserver(() => soon(place));
    place.sizes.observe(place);
  }
  return () => {
    place.sizes.disconnect();
    window.Plotly?.purge(place);
  };
}
