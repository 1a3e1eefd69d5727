"""What the dashboard asks of Streamlit, in one place.

`python -m dashboard` passes these on the command line, so they hold in any folder. The same options
stand in `.streamlit/config.toml` for people who type `streamlit run dashboard/server.py`; a test
holds the two equal and reads the hidden one back.
"""

import json
import sys
from pathlib import Path

APP = Path(__file__).with_name("server.py")
BARE = Path(__file__).with_name("bare.py")
Value = bool | int | str | list[str] | list[int]

SERVER: dict[str, Value] = {
    "browser.gatherUsageStats": False,  # the default sends usage statistics
    "server.address": "127.0.0.1",  # the default listens on every interface
    "server.showEmailPrompt": False,
    "server.fileWatcherType": "none",
    "client.toolbarMode": "minimal",
    "client.showErrorLinks": False,  # no "ask a chat bot" links under errors
    "runner.postScriptGC": False,  # hidden; the default collects garbage before the page is sent
    "runner.magicEnabled": False,
    # The page number always has a default, and a new filter sets it back: no reason to warn.
    "global.disableWidgetStateDuplicationWarning": True,
}
THEME: dict[str, Value] = {
    "theme.baseFontSize": 14,
    "theme.headingFontSizes": ["1.5rem", "1.2rem", "1.05rem", "1rem", "0.9rem", "0.85rem"],
    "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
    "theme.codeFontSize": "0.86rem",
    "theme.baseRadius": "6px",
    "theme.buttonRadius": "6px",
    "theme.showWidgetBorder": True,
    "theme.linkUnderline": False,
}
# Plotly needs exactly ten chart colours: with fewer it drops them all for its own.
LIGHT: dict[str, Value] = {
    "theme.light.primaryColor": "#0B6BAF",
    "theme.light.backgroundColor": "#FFFFFF",
    "theme.light.secondaryBackgroundColor": "#F4F6F8",
    "theme.light.textColor": "#1B2230",
    "theme.light.borderColor": "#DFE3E8",
    "theme.light.dataframeHeaderBackgroundColor": "#F4F6F8",
    "theme.light.blueColor": "#0072B2",
    "theme.light.orangeColor": "#D55E00",
    "theme.light.greenColor": "#009E73",
    "theme.light.chartCategoricalColors": [
        "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00",
        "#56B4E9", "#7F6CC4", "#8C6D46", "#5B6675", "#A89500",
    ],
}  # fmt: skip
DARK: dict[str, Value] = {
    "theme.dark.primaryColor": "#3A8FD6",
    "theme.dark.linkColor": "#6CB8F2",
    "theme.dark.backgroundColor": "#11151C",
    "theme.dark.secondaryBackgroundColor": "#1A202A",
    "theme.dark.textColor": "#E4E8EE",
    "theme.dark.borderColor": "#2C3440",
    "theme.dark.dataframeHeaderBackgroundColor": "#1A202A",
    "theme.dark.blueColor": "#56B4E9",
    "theme.dark.orangeColor": "#F0913A",
    "theme.dark.greenColor": "#34C79A",
    "theme.dark.chartCategoricalColors": [
        "#56B4E9", "#F0913A", "#34C79A", "#E3A0C8", "#F2C14E",
        "#9AD0F5", "#B3A5EA", "#C7A77C", "#98A3B3", "#E6DA6A",
    ],
}  # fmt: skip
OPTIONS: dict[str, Value] = {**SERVER, **THEME, **LIGHT, **DARK}


def flags(options: dict[str, Value]) -> list[str]:
    """Options as Streamlit's command line takes them; lists as JSON.

    >>> flags({"server.port": 8501, "runner.magicEnabled": False})
    ['--server.port=8501', '--runner.magicEnabled=false']
    """
    return [
        f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in options.items()
    ]


def command(port: int | None = None, *, open_browser: bool = True, page: Path = APP) -> list[str]:
    """The command that serves the dashboard; the store comes from $GLOSS_STORE."""
    options: dict[str, Value] = dict(OPTIONS)
    if port is not None:
        options["server.port"] = port
    if not open_browser:
        options["server.headless"] = True
    return [sys.executable, "-m", "streamlit", "run", str(page), *flags(options)]
