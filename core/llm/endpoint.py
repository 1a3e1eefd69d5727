"""One OpenAI-compatible endpoint: one request in, one answer out; the only user of openai.

The SDK sends and nothing else: it does not try again, and what it gets is read by wire.py. Retries,
limits and the store are the client's. Safe to call from many threads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from core.llm.adapting import Adaptation
from core.llm.failures import Later, Refused, Unanswered, failure, one_line
from core.llm.place import NO_KEY, extra_of, key_of, preset_of
from core.llm.requests import Request
from core.llm.settings import EndpointSettings
from core.llm.vectors import vectors_in
from core.llm.wire import Answer, answer_of, body_of, listed_in, path_of, words_of

if TYPE_CHECKING:
    import ssl

    import openai

CONNECT = 10.0  # seconds to be connected
UNWORDED = frozenset({400, 404, 422})  # statuses with which parameters are complained about
LONGEST = 1_000_000  # characters of an answer; what is longer answers nothing of ours
CHANGES = 10  # times that one request is worded anew


class Endpoint:
    """An address and a model."""

    def __init__(self, settings: EndpointSettings, timeout: float | None = None) -> None:
        """Get ready; nothing is sent. timeout: seconds, other than the settings say."""
        import openai

        settings = settings if timeout is None else replace(settings, timeout=timeout)
        self.settings = settings
        self.preset = preset_of(settings)
        self._extra = extra_of(settings)
        self._adaptation = Adaptation(settings)
        connect = min(CONNECT, settings.timeout)
        self._sdk = openai.OpenAI(
            api_key=self._key,  # asked for at every call
            base_url=self.preset.base_url,
            max_retries=0,
            timeout=openai.Timeout(settings.timeout, connect=connect),
            http_client=openai.DefaultHttpxClient(verify=_trusted()),
        )
        if self.preset.name != "openai":  # an account at OpenAI is nobody else's business
            self._sdk.organization = self._sdk.project = None
        self._bad_status, self._no_time = openai.APIStatusError, openai.APITimeoutError
        self._no_connection, self._anything = openai.APIConnectionError, openai.OpenAIError

    @property
    def address(self) -> str:
        """Base URL, without anything secret."""
        return self.preset.base_url

    @property
    def notes(self) -> tuple[str, ...]:
        """What the endpoint turned out not to take, a sentence each."""
        return self._adaptation.notes

    def close(self) -> None:
        """Hang up."""
        self._sdk.close()

    def check(self) -> None:
        """Complain about a missing key before anything is sent."""
        key_of(self.preset)

    def send(self, request: Request) -> Answer:
        """Ask once; Later or Refused where there is no answer."""
        whole = body_of(request, self.settings, self._extra)
        if self.preset.name == "openrouter":
            whole = {"usage": {"include": True}, **whole}  # tells the cost
        for _ in range(CHANGES):
            body = self._adaptation.applied(whole)
            try:
                return self._clean(answer_of(self._post(path_of(request), body), request))
            except _Complaint as complaint:
                if not self._adaptation.learn(body, str(complaint), complaint.parameter):
                    raise Refused(str(complaint), complaint.status) from complaint
        raise Refused("it takes none of the usual parameters", 400)

    def _clean(self, answer: Answer) -> Answer:
        """Keep the key out of the store, should an endpoint quote it, and floods of text."""
        if len(answer.text) > LONGEST:
            raise Later(f"an answer of {len(answer.text):,} characters", billed=True)
        key = key_of(self.preset)
        if key is None or key not in answer.text:
            return answer
        return answer._replace(text=answer.text.replace(key, "[key]"), logprobs=None)

    def vectors(self, texts: Sequence[str]) -> list[list[float] | None]:
        """Embed texts, in their order; None for one that came without a vector."""
        body = {"model": self.settings.model, "input": list(texts), "encoding_format": "float"}
        try:
            return vectors_in(self._post("/embeddings", {**body, **self._extra}), len(texts))
        except _Complaint as complaint:
            raise Refused(str(complaint), complaint.status) from complaint

    def models(self) -> list[Mapping[str, object]]:
        """The endpoint's list of models, as it sent it: ids, and prices where it states them."""
        try:
            return listed_in(self._translated("GET", "/models", {}))
        except _Complaint as complaint:
            raise Refused(str(complaint), complaint.status) from complaint

    def _post(self, path: str, body: Mapping[str, Any]) -> bytes:
        return self._translated("POST", path, body)

    def _translated(self, method: str, path: str, body: Mapping[str, Any]) -> bytes:
        """Send, and turn the SDK's errors into ours, which carry no trace of them.

        An error of the SDK's may hold an endpoint's words that quote the key.
        """
        try:
            if method == "GET":
                return self._sdk.get(path, cast_to=bytes)
            return self._sdk.post(path, body=body, cast_to=bytes)
        except self._bad_status as error:
            unanswered = self._status(error)
        except self._no_time:
            unanswered = Later(f"no answer in {self.settings.timeout:g} s", billed=True)
        except self._no_connection as error:
            unanswered = self._broken(error)
        except self._anything as error:
            unanswered = Later(self._line(str(error)))
        raise unanswered

    def _status(self, error: "openai.APIStatusError") -> Unanswered:
        words = self._line(words_of(error.body))
        code = error.code or ""
        if error.status_code in UNWORDED and words:
            return _Complaint(f"HTTP {error.status_code}: {words}", error.status_code, error.param)
        return failure(error.status_code, words, code, error.response.headers.get("retry-after"))

    def _broken(self, error: "openai.APIConnectionError") -> Later:
        """Name what went wrong on the way; a connection that was there may have cost something."""
        cause = error.__cause__
        sent = not type(cause).__name__.startswith(("Connect", "Pool", "Unsupported", "Local"))
        said = self._line(str(cause or error)) or type(cause).__name__
        what = "the connection broke" if sent else "no connection"
        return Later(f"{what} ({said})", billed=sent)

    def _line(self, words: str) -> str:
        key = key_of(self.preset)
        return one_line(words, (key,) if key else ())

    def _key(self) -> str:
        return key_of(self.preset) or NO_KEY


@cache
def _trusted() -> "ssl.SSLContext":
    """The certificates trusted by everyone, which take 40 ms to read."""
    import httpx

    return httpx.create_ssl_context()


class _Complaint(Unanswered):
    """A refusal that may be about one parameter."""

    def __init__(self, words: str, status: int, parameter: str | None) -> None:
        super().__init__(words)
        self.status, self.parameter = status, parameter or ""
