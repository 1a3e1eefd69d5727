"""A page with next to nothing on it: what Streamlit and Plotly themselves take for a key press.

`gloss bench dashboard` measures it beside the Feature page, on one machine within minutes: two
buttons, a sentence, two contexts and one small chart, all of them new after each press.
"""

import plotly.graph_objects as go
import streamlit as st

from core.drawing.spans import block


def step(by: int) -> None:
    """Go on."""
    st.session_state["place"] = st.session_state.get("place", 0) + by


place = st.session_state.get("place", 0)
st.button("Previous", shortcut="Left", on_click=step, args=(-1,))
st.button("Next", shortcut="Right", on_click=step, args=(1,))
text = f'<div class="ex cur"><div class="t">Sentence {place}</div></div>'
rows = [f'<div class="row"><div class="tx">Context {place} {n}</div></div>' for n in range(2)]
st.html(block(text + "".join(rows)))
chart = go.Figure(go.Scatter(x=list(range(10)), y=[(place * k) % 7 for k in range(10)]))
st.plotly_chart(chart, key="chart", config={"displayModeBar": False})
st.html(f"<p id=mark hidden>{place}</p>")
