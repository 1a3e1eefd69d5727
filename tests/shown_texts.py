"""The literal feature's contexts as a judge sees them, for golden prompts."""

from one_feature import EXAMPLES, SILENT

from core.prompts.judged_texts import parts, plain
from core.score.asking import JudgeSettings

SHOWN = [*EXAMPLES[:3], SILENT[0], EXAMPLES[4]]


def texts(shown):
    return [plain(one.pieces) for one in shown]


def cut(shown, share=0.3):
    """Mark strong tokens; in a silent context the third one."""
    top = max(shown.activations)
    marks = [top > 0 and a >= share * top for a in shown.activations]
    return parts(shown.pieces, marks if top else [i == 2 for i in range(len(marks))])


def requests_of(messages):
    return JudgeSettings().request(messages, "{}", "golden")
