"""Numbered questions, and a client of a scripted server that loses no time between attempts."""

from contextlib import contextmanager

from core.llm.client import open_client
from core.llm.pace import Patience
from core.llm.prices import Price
from core.llm.requests import Message, Request
from core.llm.settings import EndpointSettings

PRICE = Price(0.001, 0.01)  # the scripted server counts 100 and 10 tokens: 0.2 dollars a call
QUICK = Patience(first=0.01, longest=0.05, pause=0.5)


def questions(n, first=0, **more):
    prefix = (Message("system", "Judge."),)
    return [Request(prefix, f"question {i}", 20, **more) for i in range(first, first + n)]


def echo(body):
    """The question's number, so that answers can be told apart."""
    return body["messages"][-1]["content"].removeprefix("question ")


def texts(outcomes):
    return [outcome.text for outcome in outcomes]


@contextmanager
def opened(catalogue, server, *, patience=QUICK, price=None, **settings):
    settings = EndpointSettings("m", server.base_url, **settings)
    with open_client(catalogue, settings, patience=patience, price=price) as client:
        yield client
