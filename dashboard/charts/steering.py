"""How far a steered text strays from what the subject would write, token by token."""

from collections.abc import Sequence

from dashboard.charts.parts import Figure, axis, common, heading


def divergence_figure(kl: Sequence[Sequence[float]]) -> Figure:
    """KL before each token of each steered text, nats; the first is that after the prompt."""
    traces = [
        {
            "type": "scatter", "mode": "lines+markers", "name": f"text {number}",
            "x": list(range(1, len(values) + 1)), "y": list(values),
            "line": {"width": 1.5}, "marker": {"size": 5},
            "hovertemplate": "token %{x}: %{y:.3g} nats<extra></extra>",
            "showlegend": len(kl) > 1,
        }
        for number, values in enumerate(kl, 1)
    ]  # fmt: skip
    n = sum(map(len, kl))
    note = f"KL(without || with), nats; n = {n} tokens of {len(kl)} steered text" + "s" * (
        len(kl) > 1
    )
    layout = common(
        260,
        xaxis=axis("token written", showgrid=False),
        yaxis=axis("KL, nats", rangemode="tozero"),
        annotations=[heading("Divergence", note, 1.03)],
        legend={"orientation": "h", "y": -0.24, "font": {"size": 11}},
    )
    return {"data": traces, "layout": layout}
