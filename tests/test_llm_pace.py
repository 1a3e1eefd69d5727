"""How fast an endpoint is asked, by hand figures; no clock runs here."""

from core.llm.pace import Pace, Patience


def test_pauses_double_and_jitter_takes_up_to_half():
    pace = Pace(4, Patience(first=1.0, longest=6.0))
    for attempts, whole in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 6.0), (60, 6.0)):
        assert whole / 2 <= pace.backoff(attempts) <= whole
    same = [Pace(4, Patience(seed=1)).backoff(3) for _ in range(2)]
    assert same[0] == same[1]


def test_a_crowd_halves_the_calls_once_and_answers_bring_them_back():
    pace = Pace(32, Patience(pause=100.0))
    pace.crowded(now=10.0, sent_at=9.0, asked=5.0)
    assert (pace.limit, pace.until) == (16, 15.0)
    for _ in range(20):  # those that were in flight beside it say nothing new
        pace.crowded(now=10.1, sent_at=9.5, asked=5.0)
    assert (pace.limit, pace.until) == (16, 15.0)
    pace.crowded(now=16.0, sent_at=15.0, asked=10_000.0)
    assert (pace.limit, pace.until) == (8, 116.0)
    for _ in range(1000):
        pace.answered()
    assert pace.limit == 32
