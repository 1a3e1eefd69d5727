"""The small cache that many tests share: the bundled subject at one hookpoint."""

from core import demo
from core.pipeline.caching import CacheRequest

SMALL = CacheRequest(
    subject=str(demo.MODEL),
    saes=(str(demo.SAE),),
    corpus=demo.CORPUS,
    name="small",
    n_tokens=40_000,
    hookpoints=demo.HOOKPOINTS[-1:],
    sequence_length=demo.SEQUENCE_LENGTH,
)
