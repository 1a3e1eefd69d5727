"""Language models over any OpenAI-compatible endpoint: asked once, stored first, then used.

requests.py    what is asked and what comes back; the Client protocol everybody else sees
settings.py    which endpoint, and how
presets.py     endpoints that have a name         place.py     address, identity, key
client.py      open_client: ask, embed, fold      keeping.py   answers as the store has them
dispatch.py    threads, retries, the end          calls.py     what is on its way
pace.py        how fast, how patiently            budget.py    what may be spent
endpoint.py    one call over HTTP; the only user of openai
wire.py        the protocol's words, read strictly (logprobs.py, vectors.py, shapes.py)
adapting.py    what an endpoint does not take     failures.py  every way to get no answer
tokens.py      how many tokens                    prices.py    what they cost
planning.py    a client that only plans           plausible.py its answers

request -> known? data/replies.py -> dispatch -> endpoint -> journal, fsync -> caller
                                                              later: catalogue, by `fold`
"""

from core.llm.requests import CallFailed, Client, Message, Outcome, Reply, Request, TokenLogprob

__all__ = ["CallFailed", "Client", "Message", "Outcome", "Reply", "Request", "TokenLogprob"]
