"""Streamlit's options: one place, the same in config.toml, and the hidden one still there."""

import subprocess
import sys
import tomllib
from pathlib import Path

from dashboard.options import APP, OPTIONS, command, flags

ROOT = Path(__file__).parents[1]


def flat(table: dict, prefix: str = "") -> dict:
    """Nested tables as dotted names."""
    found = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def test_config_toml_says_the_same():
    written = tomllib.loads((ROOT / ".streamlit/config.toml").read_text("utf-8"))
    assert flat(written) == OPTIONS


def test_there_are_ten_chart_colours_for_each_theme():
    for theme in ("light", "dark"):
        assert len(OPTIONS[f"theme.{theme}.chartCategoricalColors"]) == 10


def test_flags_write_lists_as_json_and_truth_in_lower_case():
    assert flags({"a.b": False, "c": ["x", 1], "d": "y"}) == [
        "--a.b=false",
        '--c=["x", 1]',
        "--d=y",
    ]


def test_the_command_serves_the_app_on_the_port():
    words = command(9_123, open_browser=False)
    assert words[1:5] == ["-m", "streamlit", "run", str(APP)]
    assert "--server.port=9123" in words
    assert "--server.headless=true" in words


READ_BACK = """
from streamlit import config
from dashboard.options import OPTIONS
known = config.get_config_options()
missing = [name for name in OPTIONS if name not in known]
assert not missing, missing
config.get_config_options(force_reparse=True, options_from_flags=dict(OPTIONS))
assert config.get_option("runner.postScriptGC") is False
assert config.get_option("server.address") == "127.0.0.1"
assert config.get_option("server.enableXsrfProtection") is True
"""


def test_streamlit_still_knows_every_option(tmp_path):
    done = subprocess.run([sys.executable, "-P", "-c", READ_BACK], cwd=tmp_path, check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
