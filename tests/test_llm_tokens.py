import time

import pytest
from chat_model import tokenizer

from core.llm.requests import Message, Request
from core.llm.tokens import (
    EstimateCounter,
    TokenizerCounter,
    counter_for,
    estimated,
    text_estimate,
)
from data.errors import BadInput

PROSE = """The harbour froze in the second week of January, and the ferry was moved to the northern
quay. Nobody had expected the ice to hold a lorry, but by the end of the month the post was
delivered across it, and the children skated between the islands until the thaw in March 1947."""
CODE = '''def read_table(path, *, encoding="utf-8"):
    """Return the rows of a tab-separated file."""
    rows = []
    with open(path, encoding=encoding) as lines:
        for number, line in enumerate(lines, start=1):
            cells = line.rstrip("\\n").split("\\t")
            if len(cells) != 3:
                raise ValueError(f"{path}:{number}: expected 3 cells, got {len(cells)}")
            rows.append([cells[0], int(cells[1]), float(cells[2])])
    return rows
'''
JUDGED = """Description: Names of months, above all inside dates.

Text 1:  fair opens on 3 May and closes a week later.↵The next one is held in Octo
Text 2: ``datetime.date(2024, 2, 29)``↵↵Changed in version 3.12: the argument is optional.↵
Text 3: you may leave the room when the bell rings; don't run, and close the door behind
Text 4:         self.assertEqual(self.month_name, "<<August>>")↵        self.assertTrue(ok)

Give 4 verdicts."""
PAIRS = """Example 3: She will return in <<March>>, if the road is open.
Strengths: " March" 7, " return" 2, " road" 1

Example 4: {"verdicts": [1, 0, 0, 1, 0], "note": "−3.5 °C – “cold”"}
1 "The"
2 " train"
3 " was"
4 " late"
5 "\\n"
"""
# Tokens under cl100k_base (GPT-4), o200k_base (GPT-4o), Llama 3 and Qwen 3.
COUNTED = {
    PROSE: (66, 66, 66, 68),
    CODE: (116, 121, 116, 116),
    JUDGED: (129, 130, 129, 128),
    PAIRS: (97, 97, 97, 97),
}
LLAMA_LIKE = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message['role'] }}\n\n"
    "{{ message['content'] | trim }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n\n{% endif %}"
)
PLAIN = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
PREFIX = (
    Message("system", "You judge whether texts fit a description."),
    Message("user", JUDGED),
    Message("assistant", '{"verdicts": [1, 1, 0, 1]}'),
)
QUESTIONS = (PROSE, CODE, "\n\n  two lines before", "<|im_end|> in a text", "é↵ ü", "", " x ")


def chat(question: str, prefix: tuple[Message, ...] = PREFIX) -> Request:
    return Request(prefix, question, max_tokens=100)


def completion(text: str) -> Request:
    return Request((), text, max_tokens=1, kind="completion")


def rendered(made, request: Request) -> int:
    turns = [message._asdict() for message in request.messages]
    return len(made.apply_chat_template(turns, add_generation_prompt=True)["input_ids"])


@pytest.mark.parametrize("text", COUNTED, ids=["prose", "code", "judged", "pairs"])
def test_an_estimate_is_within_a_tenth_of_what_common_tokenizers_count(text):
    for counted in COUNTED[text]:
        assert text_estimate(text) == pytest.approx(counted, rel=0.1)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("孩子们在窗边玩耍，雨点落在老城的屋顶上，没有人知道它什么时候会停。", 22, 44),
        ("Дети играли у окна, пока дождь стучал по крышам старого города.", 18, 32),
        ("↵↵↵↵", 4, 8),
        ("=" * 60, 1, 4),
        (" " * 60, 1, 2),
        ("0123456789", 4, 10),
        ("", 0, 0),
    ],
)
def test_estimates_beyond_english_are_between_those_of_real_tokenizers(text, low, high):
    assert low <= text_estimate(text) <= high


def test_estimates_of_parts_add_up_to_that_of_the_chat():
    parts = sum(text_estimate(message.content) for message in chat(PROSE).messages)
    assert estimated(chat(PROSE)) == pytest.approx(parts + 4 * 5 + 4)
    assert EstimateCounter().count(chat(PROSE)) == round(estimated(chat(PROSE)))


def test_stored_replies_correct_an_estimate():
    history = [(100.0, 120)] * 19 + [(200.0, 240)]
    counter = EstimateCounter(history)
    assert counter.ratio == pytest.approx(1.2)
    assert counter.name == "estimated, corrected by 20 replies"
    assert counter.count(chat(PROSE)) == round(1.2 * estimated(chat(PROSE)))


def test_a_few_stored_replies_correct_nothing():
    assert EstimateCounter([(100.0, 120)] * 19).ratio == 1
    assert EstimateCounter([(100.0, 0), (0.0, 100)] * 20).ratio == 1


@pytest.mark.parametrize("template", [None, LLAMA_LIKE, PLAIN], ids=["chatml", "llama", "plain"])
def test_counting_the_prefix_once_changes_no_count(template):
    made = tokenizer()
    made.chat_template = template or made.chat_template
    counter = TokenizerCounter(made, "test")
    for question in QUESTIONS:
        for prefix in (PREFIX, PREFIX[:1], ()):
            request = chat(question, prefix)
            assert counter.count(request) == rendered(made, request), (question, len(prefix))


def test_most_of_a_prompt_is_counted_once():
    made, seen = tokenizer(), []
    counter = TokenizerCounter(made, "test")
    count_text = counter.count_text
    counter.count_text = lambda text: seen.append(len(text)) or count_text(text)
    counter.count(chat(PROSE))
    seen.clear()
    counter.count(chat(CODE))
    assert seen == [len(f"<|im_start|>user\n{CODE.strip()}<|im_end|>\n<|im_start|>assistant\n")]


def test_a_completion_is_counted_plainly():
    made = tokenizer()
    counter = TokenizerCounter(made, "test")
    assert counter.count(completion(PROSE)) == len(made(PROSE)["input_ids"])
    assert EstimateCounter().count(completion(PROSE)) == round(text_estimate(PROSE))


def test_a_conversation_that_the_template_cannot_write_is_refused():
    made = tokenizer()
    made.chat_template = NO_SYSTEM
    with pytest.raises(BadInput, match="cannot write this conversation: no system"):
        TokenizerCounter(made, "test").count(chat(PROSE))


def test_a_tokenizer_without_a_template_counts_completions_but_no_chats():
    made = tokenizer()
    made.chat_template = None
    counter = TokenizerCounter(made, "test")
    assert counter.count(completion(PROSE)) > 0
    with pytest.raises(BadInput, match="cannot write this conversation"):
        counter.count(chat(PROSE))


def test_a_model_that_is_a_folder_counts_with_its_own_tokenizer(tmp_path):
    tokenizer().save_pretrained(tmp_path)
    counter = counter_for(str(tmp_path), None)
    assert counter.exact
    assert counter.count(chat(PROSE)) == rendered(tokenizer(), chat(PROSE))
    named = counter_for("org/model", str(tmp_path))
    assert (named.exact, named.name) == (True, f"the tokenizer of {tmp_path}")


def test_any_other_model_is_estimated(tmp_path):
    assert not counter_for("org/model", None).exact
    assert not counter_for(str(tmp_path), None, iter([(1.0, 2)] * 20)).exact


def test_a_tokenizer_that_is_not_there_is_one_line(tmp_path):
    for name in (f"{tmp_path}/none", str(tmp_path)):
        with pytest.raises(BadInput) as error:
            counter_for("m", name)
        assert "\n" not in str(error.value)


def test_a_hundred_thousand_prompts_are_estimated_in_a_minute():
    counter = EstimateCounter()
    start = time.process_time()
    for number in range(500):
        counter.count(chat(f"{number} {JUDGED}"))
    assert (time.process_time() - start) / 500 < 0.0006
