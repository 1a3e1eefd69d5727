"""The static report: inert whatever the store holds, complete, and one file for one feature."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from commands import gloss
from exported import done
from stores import HOOKPOINT, make_store

from core.drawing.curves import Histogram, curve
from core.exporting.neuronpedia import NeuronpediaRequest, export_neuronpedia
from core.exporting.report import ReportRequest, export_report
from core.exporting.report_charts import accuracy, histogram
from core.importing.neuronpedia import import_neuronpedia
from core.importing.stage import ImportRequest
from data import notes
from data.catalogue import Catalogue
from data.errors import BadInput
from data.exports import folder
from data.records import Score, Tally

HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)> \u202e\x00"
BELOW = "layers-1-mlp"


class Seen(HTMLParser):
    """Every tag with its attributes, and the content of scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.words, self._inside = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        (self.scripts if self._inside == "script" else self.words).append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    found = make_store(tmp_path_factory.mktemp("store"), sequences=240)
    notes.write_note(found.catalogue, found.hookpoint_id, 0, "label", HOSTILE)
    notes.write_note(found.catalogue, found.hookpoint_id, 1, "label", HOSTILE)
    with found.catalogue.writing() as con:
        con.run("update explanation set text = ? where explanation_id = 2", [HOSTILE])
    return found


@pytest.fixture(scope="module")
def out(made, tmp_path_factory):
    where = tmp_path_factory.mktemp("out") / "report"
    done(export_report(made.catalogue, ReportRequest("made", where, features="all")))
    return where


def pages(out):
    return {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.html")}


def test_every_feature_has_a_page_and_a_row(out):
    found = pages(out)
    assert len(found) == 16  # one feature is dead
    rows = re.findall(r'<tr><td data-v="\d+"><a href="([^"]+)">', found["index.html"])
    assert sorted(rows) == sorted(found.keys() - {"index.html"})
    assert folder.read_manifest(out).rows["pages"] == 15


def test_nothing_of_the_store_becomes_a_tag_or_runs(out):
    for name, text in pages(out).items():
        seen = Seen(text)
        assert {tag for tag, _ in seen.tags} <= {
            "html", "head", "meta", "title", "style", "body", "main", "div", "h1", "h5", "h6", "a",
            "button", "span", "p", "b", "i", "em", "s", "u", "code", "small", "details", "summary",
            "pre", "dl", "dt", "dd", "svg", "text", "tspan", "path", "rect", "circle", "g",
            "footer", "script", "section", "table", "thead", "tbody", "tr", "th", "td", "input",
        }, name  # fmt: skip
        assert not [a for _, attrs in seen.tags for a in attrs if a.startswith("on")], name
        (script,) = seen.scripts
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = next(a["content"] for t, a in seen.tags if a.get("http-equiv"))
        assert f"script-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert not set("\x00\u202e\u200b\r") & set(text), name


def test_no_page_names_another_place(out):
    for name, text in pages(out).items():
        assert "http:" not in text
        assert "https:" not in text
        for tag, attrs in Seen(text).tags:
            assert "src" not in attrs, (name, tag)
            target = attrs.get("href")
            assert target is None or re.fullmatch(r"(\.\./)?[a-z0-9/-]+\.html", target), target


def test_hostile_words_are_shown(out):
    text = pages(out)[f"{BELOW}/1.html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<i>[202E]</i>" in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in pages(out)["index.html"]


def test_pages_lead_to_each_other_and_all_links_are_there(out):
    text = pages(out)[f"{BELOW}/1.html"]
    for name, target in (("previous", "0"), ("next", "2")):
        assert re.search(rf'id="{name}"[^>]*href="\.\./{BELOW}/{target}\.html"', text)
    assert 'id="index" href="../index.html"' in text
    assert 'id="previous"' not in pages(out)[f"{BELOW}/0.html"]


def test_a_page_has_scores_with_intervals_contexts_with_verdicts_and_figures(out):
    text = pages(out)[f"{BELOW}/0.html"]
    assert text.count('class="ex ') == 2
    assert "3 failed" in text
    assert "<b>Decile 10</b>" in text
    assert "<b>Wrong marks</b>" in text
    assert ">D✓<" in text
    assert ">D×<" in text
    for title in ("Activation distribution", "Accuracy by decile", "Logit effects", "Top tokens"):
        assert title in text


def test_what_is_missing_is_said(made, tmp_path, out):
    assert "Not explained." in pages(out)[f"{BELOW}/6.html"]
    assert "Scarce: " in pages(out)[f"{BELOW}/3.html"]
    done(export_report(made.catalogue, ReportRequest("made", tmp_path / "dead", features="5,6")))
    assert "Dead: it never fired" in pages(tmp_path / "dead")[f"{BELOW}/5.html"]


def test_without_a_choice_it_is_about_what_is_explained(made, tmp_path):
    done(export_report(made.catalogue, ReportRequest("made", tmp_path / "r")))
    names = {name.rpartition("/")[2] for name in pages(tmp_path / "r")}
    assert names == {"0.html", "1.html", "2.html", "4.html", "index.html"}


def test_one_feature_is_one_file(made, tmp_path):
    done(export_report(made.catalogue, ReportRequest("made", tmp_path / "r", features="1")))
    assert list(pages(tmp_path / "r")) == ["index.html"]
    alone = tmp_path / "one.html"
    for _ in range(2):  # a report of ours is written over
        done(export_report(made.catalogue, ReportRequest("made", alone, features="1")))
    assert "Feature 1" in alone.read_text()
    with pytest.raises(BadInput, match="is one file, and 2 features"):
        done(export_report(made.catalogue, ReportRequest("made", alone, features="0,1")))
    alone.write_text("years of work")
    with pytest.raises(BadInput, match="holds something else"):
        done(export_report(made.catalogue, ReportRequest("made", alone, features="1")))
    assert alone.read_text() == "years of work"


def test_the_table_sorts_by_numbers_that_stand_in_its_cells(out):
    text = pages(out)["index.html"]
    row = next(r for r in text.split("<tr>") if f">{HOOKPOINT}/0<" in r)
    assert re.findall(r'data-v="([^"]*)"', row)[0] == "0"
    detection = float(re.findall(r'data-v="([^"]*)"', row)[1])
    assert detection == pytest.approx(0.9287, abs=1e-4)
    assert "[.89, .97] n 194 <span" in row


def test_an_import_of_contexts_has_its_report_too(made, tmp_path):
    done(export_neuronpedia(made.catalogue, NeuronpediaRequest("made", tmp_path / "np")))
    done(import_neuronpedia(tmp_path / "store", ImportRequest(tmp_path / "np", name="np")))
    again = Catalogue(tmp_path / "store")
    done(export_report(again, ReportRequest("np", tmp_path / "r")))
    text = pages(tmp_path / "r")["1-made-mlp/0.html"]
    assert "Fires on the days of the week" in text
    assert " tokens by activation, log counts" in text
    assert text.count('class="row"') > 50
    assert ">D✓<" in text


def test_a_chart_says_every_value_on_hover():
    tallies = {d: Tally(10, d) for d in range(1, 11)}
    score = Score("detection", "balanced_accuracy", 0.5, None, None, None, None, 100, 0, "j", "p",
                  tallies, {"random": Tally(20, 15, 2)}, {})  # fmt: skip
    drawn = accuracy([curve(score)])
    assert drawn.count("<circle") == 12  # ten deciles, none, and the key
    assert "detection, decile 3: 0.30 [0.11, 0.60], n 10" in drawn
    assert "detection, non-activating: 0.75 [0.53, 0.89], n 20, 2 failed" in drawn
    bars = histogram(Histogram(0.5, [100, 0, 1]))
    assert bars.count("<rect") == 2
    assert "peak 1 to 1.5: 1 contexts" in bars
    assert histogram(Histogram(1.0, [])) == accuracy([]) == ""


def test_the_command_says_where_it_begins_and_how_large_it_is(made, tmp_path):
    ended = gloss("export", "html", "made", "--out", str(tmp_path / "out"), "--store",
                 str(made.folder), "--features", "0-2")  # fmt: skip
    assert ended.returncode == 0
    assert re.search(r"3 pages of made, 0\.\d MB, begin with .*index\.html", ended.stdout)
