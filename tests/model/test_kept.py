"""What a model worker keeps of the batches that it has computed: it must not grow by each that is unlike others."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamapp.tasks.bert import GRAIN, PackedBatch

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

TELLING_MIB = 50

UNLIKE = """
import sys

import psutil

from streamapp.tasks import bert
from streamapp.tasks.minilm import MiniLM

bert.GRAIN = int(sys.argv[1])
MiniLM.precision = "bfloat16"
model = MiniLM()
model.load("cpu")

def compute(tokens):
    model._run(model._encoder, [[7] * 100] * (tokens // 100) + [[7] * (tokens % 100)])

compute(750)
before = psutil.Process().memory_info().rss
for tokens in range(301, 700, 9):
    if tokens % 100:
        compute(tokens)
print((psutil.Process().memory_info().rss - before) >> 20)
"""


def grown_mib(grain: int) -> int:
    """How much a process has grown after 44 batches that all have different numbers of tokens."""
    ran = subprocess.run([sys.executable, "-c", UNLIKE, str(grain)], capture_output=True, text=True, check=True)
    return int(ran.stdout)


def test_batches_of_all_sizes_keep_little() -> None:
    """I expect a third at most of what is kept when each number of tokens is computed as it comes."""
    without = grown_mib(1)
    if without < TELLING_MIB:
        pytest.skip("this machine's products keep nothing, so there is nothing to see")
    assert grown_mib(GRAIN) < without / 3


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_filling_is_short_and_belongs_to_no_sentence(lengths: list[int]) -> None:
    """I expect whole grains of tokens, the sentences' own first, and no run that reaches into what fills them up."""
    batch = PackedBatch.of([[9] * length for length in lengths], torch.device("cpu"))
    assert len(batch.ids) == len(batch.positions) == -(-sum(lengths) // GRAIN) * GRAIN
    assert batch.ids.tolist() == [9] * sum(lengths) + [0] * (len(batch.ids) - sum(lengths))
    assert batch.runs[-1].start + batch.runs[-1].count * batch.runs[-1].length == sum(lengths)
