"""How a text feels, sentence by sentence and as an arc over the book, and whether that arc is more than chance.

The tone of a sentence is a ridge regression on its embedding. It was fitted to the valences that people gave the words
of VADER's lexicon (Hutto and Gilbert, "VADER", ICWSM 2014), each word embedded alone and in two plain frames;
``benchmarks/tone_head.py`` fits it again. An embedding also knows a word's meaning here, which a lexicon does not.

The arc is the tone smoothed over neighbouring sentences. Shuffled sentences give an arc too, a flat one; how much
flatter is the statistic here: the arc's variance over the variance expected of a shuffled book.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arc", "arc_of", "tones"]

Floats = NDArray[np.float64]

SHARE: Final = 0.02
"""The smoothing kernel's standard deviation as a share of the book."""
DRAWS: Final = 199
"""Shuffles of the permutation test; the smallest p that it can give is 1 / (DRAWS + 1)."""
SEED: Final = 20110619


@functools.cache
def _head() -> tuple[NDArray[np.float32], float]:
    content = json.loads(resources.files(__package__).joinpath("tone_head.json").read_text(encoding="utf-8"))
    return np.array(content["weights"], dtype=np.float32), float(content["zero"])


def tones(embeddings: NDArray[np.float32]) -> Floats:
    """The tone of each row of [sentences, 384]: positive is pleasant, 0 neutral; about ±0.25 is usual, ±1 extreme."""
    weights, zero = _head()
    return (embeddings @ weights - zero).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Arc:
    """The smoothed tone [sentences] and the range ±band [sentences] around the mean that chance alone would give."""

    curve: Floats
    mean: float
    band: Floats
    ratio: float
    """The curve's variance over the one expected of the same sentences in random order: 1 means flat."""
    p: float
    """Share of shuffles whose ratio was at least as high."""


def arc_of(values: Floats) -> Arc:
    """The arc of the sentences' tones in the book's order, with its test. Deterministic."""
    centred = values - values.mean()
    smooth = _Smoother(len(values))
    curve = smooth(centred)
    variance = float(centred.var())
    expected = variance * float(smooth.shrinkage.mean())
    observed = float(np.mean(curve**2))
    if expected <= 1e-18:
        return Arc(curve + values.mean(), float(values.mean()), np.zeros_like(curve), 1.0, 1.0)
    random = np.random.default_rng(SEED)
    as_high = sum(float(np.mean(smooth(random.permutation(centred)) ** 2)) >= observed for _ in range(DRAWS))
    return Arc(
        curve=curve + values.mean(),
        mean=float(values.mean()),
        band=1.96 * np.sqrt(variance * smooth.shrinkage),
        ratio=observed / expected,
        p=(1 + as_high) / (1 + DRAWS),
    )


class _Smoother:
    """Each of `count` values as the mean of its neighbours, weighted by a Gaussian, cut and rescaled at the ends.

    By FFT, since a long book has a wide kernel, and of a power of two, which is several times as fast as other lengths.
    """

    def __init__(self, count: int) -> None:
        width = max(1.0, SHARE * count)
        reach = min(int(4 * width) + 1, max(count - 1, 0))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        self._size = 1 << (count + len(kernel) - 2).bit_length()
        self._cut = slice(reach, reach + count)
        self._kernel = np.fft.rfft(kernel, self._size)
        self._weights = self._convolved(np.ones(count), self._kernel)
        squares = self._convolved(np.ones(count), np.fft.rfft(kernel**2, self._size))
        self.shrinkage: Floats = squares / self._weights**2
        """[count]: of the variance of values in random order this share is left, the sum of the squared weights."""

    def __call__(self, values: Floats) -> Floats:
        """The smoothed values [count]."""
        smoothed: Floats = self._convolved(values, self._kernel) / self._weights
        return smoothed

    def _convolved(self, values: Floats, kernel: NDArray[np.complex128]) -> Floats:
        whole: Floats = np.fft.irfft(np.fft.rfft(values, self._size) * kernel, self._size)
        return whole[self._cut]
