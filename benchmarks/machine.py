"""What was measured on: without it, no number means anything to anybody else."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

__all__ = ["commit", "computes_bf16", "machine", "versions"]

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8")
PACKAGES = (
    "torch",
    "sentence-transformers",
    "transformers",
    "tokenizers",
    "faust-streaming",
    "aiokafka",
    "kafka-python",
    "gunicorn",
    "flask",
    "aiohttp",
    "sqlalchemy",
    "numpy",
    "matplotlib",
)


def _cpuinfo(name: str) -> str:
    """The first value of a field in /proc/cpuinfo; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _flags() -> list[str]:
    there = set(_cpuinfo("flags").split())
    return [flag for flag in FLAGS if flag in there]


def computes_bf16() -> bool:
    """Whether the hardware has bfloat16 instructions: a bar depends on it, whatever the predictor then chooses."""
    return bool({"avx512_bf16", "amx_bf16"} & set(_flags())) or Path("/dev/nvidia0").exists()


def machine() -> dict[str, str]:
    """CPU, cores, memory, system."""
    return {
        "CPU": _cpuinfo("model name") or platform.processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "flags": " ".join(_flags()),
        "bfloat16 in hardware": "yes" if computes_bf16() else "no",
        "GPU": "yes" if Path("/dev/nvidia0").exists() else "none",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Python, Kafka and the packages that matter."""
    jars = (ROOT / "streamapp" / "embedded").rglob("*.lock")
    kafka = next((line for file in jars for line in file.read_text().splitlines() if "kafka_2.13" in line), "")
    found = {"python": platform.python_version(), "kafka": kafka.partition("kafka_2.13:")[2].partition(" ")[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> str:
    """The commit that is measured, with a + when there are changes on top; empty outside of a git checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
