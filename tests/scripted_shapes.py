"""How the OpenAI protocol words its answers and errors; tests/scripted_server.py sends them."""

import json
import re

from core.bench.answering import Said

Body = dict
PIECE = re.compile(r"\s?\w+|\W")
HTML = (("Content-Type", "text/html"),)
MODELS = {
    "object": "list",
    "data": [
        {
            "id": "scripted",
            "object": "model",
            "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        }
    ],
}


def error(status: int, message: str, **more: object) -> Said:
    """An error as OpenAI writes it."""
    body = {"error": {"message": message, "type": "scripted", "code": None, **more}}
    return Said(json.dumps(body).encode(), status)


def vectors(body: Body) -> dict:
    """Count the letters of every text."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    letters = "abcdefghijklmnopqrstuvwxyz"
    counts = [[float(text.lower().count(letter)) for letter in letters] for text in texts]
    data = [{"object": "embedding", "index": i, "embedding": c} for i, c in enumerate(counts)]
    return {"object": "list", "data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}


def bent(answer: dict, fault: str) -> dict:
    """Spoil an answer that does arrive."""
    text = answer.get("content") or ""
    if fault in {"short", "long"}:
        return {**answer, "content": _resized(text, fault)}
    return {
        "prose": {**answer, "content": "I would say that most of these fit, but it depends."},
        "refusal": {**answer, "content": None, "refusal": "I cannot help with that."},
        "empty": {**answer, "content": ""},
        "reasoning": {**answer, "content": f"<think>Maybe [9, 9]?</think>\n{text}"},
        "fences": {**answer, "content": f"Here you are:\n```json\n{text}\n```"},
        "no-usage": {**answer, "usage": None},
    }[fault]


def _resized(text: str, fault: str) -> str:
    """Take an element from a JSON list, or add one; one list in an object, too."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    holder = value if isinstance(value, dict) else {"": value}
    for name, found in holder.items():
        if isinstance(found, list) and found:
            holder[name] = found[:-1] if fault == "short" else [*found, found[-1]]
    return json.dumps(holder if isinstance(value, dict) else holder[""])


def chat(body: Body, answer: dict) -> dict:
    """Wrap an answer as a chat completion."""
    message = {"role": "assistant", "content": answer.get("content", "")}
    message |= {name: answer[name] for name in ("refusal", "reasoning_content") if name in answer}
    tokens = None
    if body.get("logprobs"):
        tokens = {"content": [_token(t, top) for t, top in _logprobs(answer)]}
    return _whole("chat.completion", body, answer, {"message": message, "logprobs": tokens})


def _logprobs(answer: dict) -> list[tuple[str, dict[str, float]]]:
    text = answer.get("content") or ""
    plain = [(piece, {piece: -0.1, " else": -2.4}) for piece in PIECE.findall(text)]
    return answer.get("logprobs", plain)


def _token(token: str, top: dict[str, float]) -> dict:
    tops = [{"token": name, "logprob": value, "bytes": None} for name, value in top.items()]
    return {"token": token, "logprob": top.get(token, -9999.0), "bytes": None, "top_logprobs": tops}


def completion(body: Body, answer: dict) -> dict:
    """Wrap an answer as a plain completion, with its prompt in front where an echo is wanted."""
    prompt = body["prompt"] if body.get("echo") else ""
    text = answer.get("content") or ""
    tokens = None
    if body.get("logprobs") is not None:
        pieces = PIECE.findall(prompt) + PIECE.findall(text)
        values = [None if prompt and not i else -0.1 * len(t) for i, t in enumerate(pieces)]
        tokens = {
            "tokens": pieces,
            "token_logprobs": values,
            "top_logprobs": [v if v is None else {t: v} for t, v in zip(pieces, values, strict=1)],
            "text_offset": [sum(map(len, pieces[:i])) for i in range(len(pieces))],
        }
    return _whole("text_completion", body, answer, {"text": prompt + text, "logprobs": tokens})


def _whole(kind: str, body: Body, answer: dict, choice: dict) -> dict:
    finish = answer.get("finish_reason", "stop")
    whole = {
        "id": "scripted-0",
        "object": kind,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": finish, **choice}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
    if "usage" in answer:
        whole["usage"] = answer["usage"]
    return whole if whole["usage"] is not None else {k: v for k, v in whole.items() if k != "usage"}
