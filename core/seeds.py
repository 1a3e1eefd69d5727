"""Random numbers by address: the same place draws the same number, whatever was drawn before it.

A stream is named by (run seed, hookpoint, feature, purpose); within it number i is a pure function
of the stream's seed and i. Draws therefore vectorise over items and over features, do not depend
on order or on the number of workers, and touch no random state (methods.md 1.1, Seeds).
"""

import hashlib

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: the step of splitmix64 (Steele et al., 2014)


def seed_of(run_seed: int, hookpoint: str, feature: int, purpose: str) -> int:
    """Hash the name of a stream to its seed, 0 .. 2^64 - 1."""
    return text_seed(f"{run_seed}|{hookpoint}|{feature}|{purpose}")


def text_seed(text: str) -> int:
    """Hash a text to a seed, 0 .. 2^64 - 1; the same on every machine and in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def seeds_of(run_seed: int, hookpoint: str, features: np.ndarray, purpose: str) -> np.ndarray:
    """Hash the streams of many features, uint64 [features]."""
    return np.array(
        [seed_of(run_seed, hookpoint, feature, purpose) for feature in features.tolist()],
        dtype=np.uint64,
    )


def draws(seed: int | np.ndarray, index: np.ndarray) -> np.ndarray:
    """Draw number `index` of each stream (splitmix64), uint64, shaped as the two broadcast."""
    with np.errstate(over="ignore"):
        state = (np.asarray(index).astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
        state = state + np.asarray(seed, dtype=np.uint64)
        state ^= state >> np.uint64(30)
        state *= np.uint64(0xBF58476D1CE4E5B9)
        state ^= state >> np.uint64(27)
        state *= np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return state


def below(seed: int | np.ndarray, index: np.ndarray, limit: int) -> np.ndarray:
    """Draw integers in 0 .. limit - 1, int64; `limit` is at most 2^32."""
    scaled = (draws(seed, index) >> np.uint64(32)) * np.uint64(limit)
    return (scaled >> np.uint64(32)).astype(np.int64)


def permutation(seed: int, count: int) -> np.ndarray:
    """Shuffle 0 .. count - 1, int64 [count]."""
    return np.argsort(draws(seed, np.arange(count)), kind="stable")


def generator(seed: int) -> np.random.Generator:
    """Open a private generator on the stream, for distributions that numpy has and we do not."""
    return np.random.Generator(np.random.Philox(seed))
