"""Tokens to HTML: every character shows, none is obeyed, and the text survives."""

import html
import re

import pytest

from core.drawing.spans import (
    Beside,
    ContextRow,
    GroupHeading,
    Passage,
    Shade,
    Verdict,
    as_text,
    escape,
    example_list,
    highlighted,
    in_brief,
    level,
    one_line,
    plain,
    verdict,
)
from dashboard.labels import literal

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><b onmouseover=alert(1)>',
    "$x$", "&amp;", "\u202eright to left", "😴", "\n", ":material/home:", "\x00", "\r", "\u200b",
    "\u2066", "\ufeff", "**bold**", "`code`", "</div></div>", "\ud800", "e\u0301", "\x85",
]  # fmt: skip


def text_of(drawn: str) -> str:
    """What a person reads, with named characters turned back."""
    named = re.sub(r"<i>\[([0-9A-F]{4})\]</i>", lambda m: chr(int(m[1], 16)), drawn)
    for glyph, real in (
        ("<i>↵</i>\n", "\n"),
        ("<i>↵</i>", "\n"),
        ("<i>⇥</i>\t", "\t"),
        ("<i>␍</i>", "\r"),
    ):
        named = named.replace(glyph, real)
    return html.unescape(re.sub(r"<[^>]*>", "", named))


@pytest.mark.parametrize("token", HOSTILE)
def test_hostile_text_is_shown_and_nothing_else_is_a_tag(token):
    drawn = escape(token)
    assert set(re.findall(r"<[^>]*>", drawn)) <= {"<i>", "</i>"}
    assert text_of(drawn) == token.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("token", HOSTILE)
def test_a_highlighted_hostile_token_stays_inside_its_tag(token):
    drawn = highlighted(Passage([token], [1.0]), 2.0)
    assert drawn.startswith('<b class="a5 p" data-v="1.00">')
    assert drawn.endswith("</b>")
    assert text_of(drawn) == token.encode("utf-8", "replace").decode()


def test_no_control_or_direction_mark_reaches_the_page():
    everything = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0), *range(0x2000, 0x2070)]))
    drawn = escape(everything)
    assert not set(drawn) & set("\x00\r\x7f\x85\u200b\u200f\u2028\u202e\u2066\ufeff")


def test_only_active_and_marked_tokens_get_a_tag():
    passage = Passage(["a", "b", "c", "d"], [0, 3.0, 1.0, 0], marks=frozenset([3]))
    assert highlighted(passage, 3.0) == (
        'a<b class="a10 p" data-v="3.00">b</b><b class="a3" data-v="1.00">c</b>'
        '<b class="m" data-v="0.00">d</b>'
    )


def test_a_character_split_over_tokens_is_drawn_once_with_the_largest_value():
    drawn = highlighted(Passage(["x", "😴", "", "y"], [0, 0, 2.0, 0]), 2.0)
    assert drawn == 'x<b class="a10 p" data-v="2.00">😴</b>y'


def test_what_lies_outside_the_judged_context_is_muted_and_has_no_peak():
    passage = Passage(["far", "near"], [5.0, 2.0], outside=frozenset([0]))
    assert highlighted(passage, 5.0) == (
        '<span class="far"><b class="a10" data-v="5.00">far</b></span>'
        '<b class="a4 p" data-v="2.00">near</b>'
    )


def test_a_run_of_newlines_breaks_the_line_once():
    drawn = highlighted(Passage(["a", "\n\n", "\n", "b"], [0, 0, 0, 0]), 1.0)
    assert drawn == "a<i>↵</i><i>↵</i><i>↵</i>\nb"


def test_newlines_at_the_ends_leave_no_empty_lines():
    drawn = highlighted(Passage(["\n", "a", "\n", "  "], [0, 0, 0, 0]), 1.0)
    assert drawn == "<i>↵</i>a<i>↵</i>  "


def test_a_document_border_stands_before_its_token():
    drawn = highlighted(Passage(["end", "new"], [0, 0], borders=frozenset([1])), 1.0)
    assert drawn.startswith('end<i class="doc"')
    assert drawn.endswith("new")


def test_levels_are_one_to_ten_and_log_lifts_the_weak():
    assert [level(v, 10, Shade.LINEAR) for v in (0.01, 1, 5, 10, 99)] == [1, 1, 5, 10, 10]
    assert level(1, 10, Shade.LOG) == 3
    assert level(10, 10, Shade.LOG) == 10


def test_verdicts_differ_by_sign_and_style_not_colour_alone():
    drawn = {found: verdict(found, "d", "Detection") for found in [*Verdict, None]}
    assert ">D✓<" in drawn[Verdict.RIGHT]
    assert ">D×<" in drawn[Verdict.WRONG]
    assert ">D?<" in drawn[Verdict.UNREADABLE]
    assert "not judged" in drawn[None]
    assert len({re.search('class="([^"]*)"', text)[1] for text in drawn.values()}) == 4


def test_a_list_has_one_heading_a_group_and_one_row_a_context():
    row = ContextRow(Passage(["hello"], [1.5]), 1.5, detection=Verdict.RIGHT, copies=3)
    drawn = example_list([(GroupHeading("Decile 10", "<peak>", "detection 1/1"), [row, row])], 3.0)
    assert drawn.count('class="grp"') == 1
    assert drawn.count('class="row"') == 2
    assert "&lt;peak&gt;" in drawn
    assert "×3" in drawn


def test_a_train_row_says_so_in_place_of_verdicts():
    row = ContextRow(Passage(["x"], [1.0]), 1.0, note="train", detection=Verdict.WRONG)
    drawn = example_list([(GroupHeading("Train"), [row])], 1.0)
    assert ">train<" in drawn
    assert "D×" not in drawn


def test_cells_keep_glyphs_but_no_breaks():
    assert one_line("a\n<b>") == "a<i>↵</i>&lt;b&gt;"
    assert plain("a\n<b>\u202e") == "a↵<b>[202E]"


def test_a_text_of_a_million_characters_is_drawn_in_brief():
    assert in_brief("a<") == "a&lt;"
    drawn = in_brief("\u202e" + "a" * 1_200_000)
    assert drawn == "<i>[202E]</i>" + "a" * 9_999 + " … (1,200,001 characters in all)"


def test_line_breaks_can_be_left_out_and_their_glyphs_stay():
    passage = Passage(["a", "\n", "b"], [0, 0, 0])
    assert highlighted(passage, 1.0, breaks=False) == "a<i>↵</i>b"


def test_a_token_names_its_id_and_a_split_character_all_of_them():
    passage = Passage(["a", "😴", "", ""], [1.0, 2.0, 0, 0], tokens=[5, 12, 13, -1])
    drawn = highlighted(passage, 2.0)
    assert 'data-v="1.00" data-t="5">a<' in drawn
    assert 'data-v="2.00" data-t="12+13">😴<' in drawn


def test_two_explanations_have_two_columns_with_headings():
    row = ContextRow(Passage(["x"], [1.0]), 1.0, detection=Verdict.RIGHT, second=Beside("prompt"))
    drawn = example_list([(GroupHeading("All"), [row])], 1.0, columns=["#1", "#<2>"])
    assert drawn.startswith('<div class="fx pinned">')
    assert "<span>#1</span><span>#&lt;2&gt;</span>" in drawn
    assert drawn.count('class="vd"') == 2
    assert ">prompt<" in drawn


def test_as_plain_text_every_context_is_one_line_with_its_peak():
    row = ContextRow(Passage(["a\n", "<b>"], [0, 1.25]), 1.25)
    assert as_text([(GroupHeading("Decile 10", "peak"), [row])]) == "# Decile 10: peak\n1.25\ta↵<b>"


def test_the_label_of_a_button_obeys_no_markdown():
    assert literal(":material/home: **b** [x](y)") == (r"\:material/home\: \*\*b\*\* \[x\]\(y\)")
    assert literal("x" * 200).endswith("…")
