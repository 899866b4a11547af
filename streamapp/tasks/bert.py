"""A BERT encoder that computes on packed tokens, because a third of a padded batch of sentences is padding.

All the sentences of a batch lie one after the other in one ``[tokens, width]`` tensor, sorted by length. What treats
each token alone (projections, feed-forward, normalisation) runs on that tensor; attention runs on runs of sentences
of one length, which are plain slices of it. Nothing is padded, unless ``slack`` allows it for the sake of fewer
kernel launches on a GPU; padded tokens are then masked. Only the whole tensor is filled up to a multiple of `GRAIN`
tokens that belong to no sentence, because what multiplies keeps a compiled product for each number of tokens it meets.

The architecture is that of Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (NAACL 2019), with
the exact (erf) GELU and post-layer normalisation. This module imports torch: import it inside `Predictor.load`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["PackedBatch", "PackedBert"]

LAYER_NORM_EPSILON = 1e-12
HEADS = 12
ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""All but cuDNN's, which a GPU would take else: it compiles a plan for each number of sentences and tokens it meets,
and runs bring new ones with nearly every batch. A book took an H100 4 to 15 seconds with it, and takes 2 without."""
GRAIN = 32
"""Tokens. In bfloat16 oneDNN (3.13) compiles four products for each number of rows, and what it keeps of them, some
2.7 MB, outlives its own cache in part: hundreds of numbers were a gigabyte. Batches of 2,048 have 64 at most so."""


@dataclass(frozen=True, slots=True)
class Run:
    """`count` neighbouring sentences that are computed with `length` tokens each, from token `start` on."""

    start: int
    count: int
    length: int
    mask: Tensor | None
    """[count, 1, 1, length] bool, true for real tokens; None when nothing is padded."""


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """A batch on the device: int64 ``ids`` and ``positions`` [tokens], the runs, and int64 ``order`` [sentences].

    Tokens behind the last run are filling: each row of the tensors is computed alone, so they change no other one.
    """

    ids: Tensor
    positions: Tensor
    runs: Sequence[Run]
    order: Tensor

    @classmethod
    def of(cls, sentences: Sequence[Sequence[int]], device: torch.device, slack: float = 0.0) -> PackedBatch:
        """Pack token ids. A sentence is padded by at most ``slack`` times its length (0: never)."""
        order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
        ids: list[int] = []
        positions: list[int] = []
        runs: list[Run] = []
        for group in _groups([len(sentences[index]) for index in order], slack):
            members = [sentences[order[place]] for place in group]
            longest = len(members[-1])
            start = len(ids)
            for member in members:
                ids.extend(itertools.chain(member, itertools.repeat(0, longest - len(member))))
                positions.extend(range(longest))
            lengths = torch.tensor([len(member) for member in members])
            ragged = len(members[0]) < longest
            mask = (torch.arange(longest) < lengths[:, None])[:, None, None, :] if ragged else None
            runs.append(Run(start, len(members), longest, mask if mask is None else _move(mask, device)))
        filling = [0] * (-len(ids) % GRAIN)
        return cls(
            ids=_move(torch.tensor(ids + filling, dtype=torch.int64), device),
            positions=_move(torch.tensor(positions + filling, dtype=torch.int64), device),
            runs=runs,
            order=_move(torch.tensor(order, dtype=torch.int64), device),
        )


def _groups(lengths: Sequence[int], slack: float) -> list[range]:
    """Cut ascending lengths into ranges whose first is padded by no more than `slack` of itself."""
    bounds = [0]
    for place, length in enumerate(lengths):
        if length > lengths[bounds[-1]] * (1 + slack):
            bounds.append(place)
    return [range(start, stop) for start, stop in itertools.pairwise([*bounds, len(lengths)]) if start < stop]


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    # From pinned memory the copy runs beside the host's work on the next one.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


@dataclass(frozen=True, slots=True)
class _Layer:
    """One transformer block's weights, the three projections of attention joined into one product."""

    attend: tuple[Tensor, Tensor]
    project: tuple[Tensor, Tensor]
    attend_norm: tuple[Tensor, Tensor]
    widen: tuple[Tensor, Tensor]
    narrow: tuple[Tensor, Tensor]
    output_norm: tuple[Tensor, Tensor]


class PackedBert:
    """The encoder with the sentence head of sentence-transformers: mean over tokens, then length one."""

    def __init__(self, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        held = {name: _place(tensor, device, dtype) for name, tensor in weights.items() if tensor.is_floating_point()}
        # Every token is of segment 0, so its vector belongs to the positions for good.
        self._words = held["embeddings.word_embeddings.weight"]
        self._positions = (
            held["embeddings.position_embeddings.weight"] + held["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = (held["embeddings.LayerNorm.weight"], held["embeddings.LayerNorm.bias"])
        count = sum(name.endswith("intermediate.dense.weight") for name in held)
        self._layers = [_layer(held, f"encoder.layer.{number}.") for number in range(count)]

    @torch.inference_mode()
    def encode(self, batch: PackedBatch) -> Tensor:
        """The sentences' embeddings, float32 [sentences, width] of length one, in the order they were packed from."""
        hidden = _normalise(F.embedding(batch.ids, self._words) + self._positions[batch.positions], self._norm)
        with sdpa_kernel(ATTENTION) if self.device.type == "cuda" else nullcontext():
            for layer in self._layers:
                hidden = self._block(hidden, layer, batch.runs)
        means = torch.cat([_mean(hidden, run) for run in batch.runs])
        result = torch.empty_like(means)
        result[batch.order] = F.normalize(means, dim=1)
        return result

    def _block(self, hidden: Tensor, layer: _Layer, runs: Sequence[Run]) -> Tensor:
        attended = F.linear(self._attention(hidden, layer, runs), *layer.project)
        hidden = _normalise(attended.add_(hidden), layer.attend_norm)
        fed = F.linear(F.gelu(F.linear(hidden, *layer.widen)), *layer.narrow)
        return _normalise(fed.add_(hidden), layer.output_norm)

    def _attention(self, hidden: Tensor, layer: _Layer, runs: Sequence[Run]) -> Tensor:
        width = hidden.shape[1]
        joined = F.linear(hidden, *layer.attend)
        context = torch.empty_like(hidden)
        context[runs[-1].start + runs[-1].count * runs[-1].length :].zero_()  # the filling
        for run in runs:
            span = slice(run.start, run.start + run.count * run.length)
            heads = joined[span].view(run.count, run.length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
            found = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=run.mask)
            context[span].view(run.count, run.length, HEADS, -1).copy_(found.transpose(1, 2))
        return context


def _place(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return tensor.to(device=device, dtype=dtype).contiguous()


def _layer(held: Mapping[str, Tensor], prefix: str) -> _Layer:
    def pair(name: str) -> tuple[Tensor, Tensor]:
        return held[f"{prefix}{name}.weight"], held[f"{prefix}{name}.bias"]

    thirds = [pair(f"attention.self.{name}") for name in ("query", "key", "value")]
    return _Layer(
        attend=(torch.cat([weight for weight, _ in thirds]), torch.cat([bias for _, bias in thirds])),
        project=pair("attention.output.dense"),
        attend_norm=pair("attention.output.LayerNorm"),
        widen=pair("intermediate.dense"),
        narrow=pair("output.dense"),
        output_norm=pair("output.LayerNorm"),
    )


def _normalise(hidden: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
    return F.layer_norm(hidden, hidden.shape[-1:], *norm, eps=LAYER_NORM_EPSILON)


def _mean(hidden: Tensor, run: Run) -> Tensor:
    """float32 [count, width]: the mean over each sentence's real tokens."""
    tokens = hidden[run.start : run.start + run.count * run.length].view(run.count, run.length, -1).float()
    if run.mask is None:
        return tokens.mean(1)
    real = run.mask.view(run.count, run.length, 1)
    return (tokens * real).sum(1) / real.sum(1)
