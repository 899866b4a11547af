"""The environment is built from hashes alone, and TORCH_BACKEND changes torch and nothing else."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load() -> ModuleType:
    """tools/environment.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


environment = load()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with small locks."""
    (tmp_path / "requirements").mkdir()
    lock = "a==1 \\\n    --hash=sha256:00\nnvidia-cublas==13 ; sys_platform == 'linux' \\\n    --hash=sha256:01\n"
    lock += "torch==2.15.0 \\\n    --hash=sha256:02\ntorchlike==1 \\\n    --hash=sha256:03\n"
    lock += "triton==3 \\\n    --hash=sha256:04\n"
    for name in ("uv", "run", "test"):
        (tmp_path / "requirements" / f"{name}.txt").write_text(lock)
    (tmp_path / "setup.cfg").write_text("")
    return tmp_path


def commands(root: Path, **environ: str) -> list[str]:
    """What would be run."""
    return [" ".join(command) for command in environment.Environment("run", environ, root).commands()]


def test_every_install_is_by_hash(root: Path) -> None:
    """I expect uv itself and all packages from locks; only the project itself has no hash."""
    uv, packages, project = commands(root)
    assert "--require-hashes --no-deps -r" in uv
    assert uv.endswith("requirements/uv.txt")
    assert "--require-hashes --no-deps -r" in packages
    assert packages.endswith("requirements/run.txt")
    assert "--no-build-isolation --config-setting editable_mode=compat --editable" in project


def test_torch_backend_goes_to_uv(root: Path) -> None:
    """I expect everything but torch and its libraries by hash, then torch in the locked version."""
    _, packages, torch, _ = commands(root, TORCH_BACKEND="cpu")
    assert "--require-hashes" in packages
    rest = Path(packages.split(" -r ")[1]).read_text()
    assert re.findall(r"(?m)^[^ ]+", rest) == ["a==1", "torchlike==1"]
    assert torch.endswith("--no-deps --torch-backend cpu torch==2.15.0")
    assert "--require-hashes" not in torch


def test_the_backend_is_remembered(root: Path) -> None:
    """I expect a later `make run` without the variable not to fetch the other torch."""
    (root / ".venv").mkdir()
    (root / ".venv" / "stamp.json").write_text(json.dumps({"backend": "cpu"}))
    assert environment.Environment("run", {}, root).backend == "cpu"
    assert environment.Environment("run", {"TORCH_BACKEND": "cu126"}, root).backend == "cu126"


def built(root: Path, which: str) -> None:
    """As if that set had been installed."""
    it = environment.Environment(which, {}, root)
    it.python.parent.mkdir(parents=True)
    it.python.touch()
    it.stamp.write_text(json.dumps(it._description(which)))


def test_ready_until_a_lock_changes(root: Path) -> None:
    """I expect nothing to be done twice, and a changed lock to be noticed."""
    built(root, "run")
    assert environment.Environment("run", {}, root).is_ready()
    (root / "requirements" / "run.txt").write_text("b==1")
    assert not environment.Environment("run", {}, root).is_ready()


def test_tests_serve_to_run_and_not_the_other_way(root: Path) -> None:
    """I expect `make run` after `make test` to install nothing."""
    built(root, "test")
    assert environment.Environment("run", {}, root).is_ready()
    (root / ".venv" / "stamp.json").unlink()
    (root / ".venv" / "stamp.json").write_text(json.dumps(environment.Environment("run", {}, root)._description("run")))
    assert not environment.Environment("test", {}, root).is_ready()


def test_an_interrupted_install_begins_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect half a package not to survive."""
    half = root / ".venv" / "lib" / "half"
    half.parent.mkdir(parents=True)
    half.touch()
    (root / ".venv" / "begun").touch()
    it = environment.Environment("run", {}, root)
    it.python.parent.mkdir()
    it.python.touch()
    monkeypatch.setattr(environment, "_run", lambda command: None)
    monkeypatch.setattr(it, "_create", lambda: it.python.parent.mkdir(parents=True) or it.python.touch())
    it.build()
    assert not half.exists()
    assert it.is_ready()


@pytest.mark.parametrize("said", ["Temporary failure in name resolution", "Connection refused", "Read timed out."])
def test_no_network_is_one_sentence(said: str) -> None:
    """I expect it to be told from other failures of pip."""
    code = f"import sys; sys.stderr.write({said!r}); sys.exit(1)"
    with pytest.raises(environment.InstallError, match="first install needs a network"):
        environment._run([sys.executable, "-Ic", code, "pip"])


def test_the_locks_have_hashes_and_no_addresses() -> None:
    """I expect an index to be the machine's own business, and run.txt without what only tests need."""
    for name in ("uv", "run", "test"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "://" not in text
        assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=\S)", text) if block.strip())
    run = (ROOT / "requirements" / "run.txt").read_text()
    assert "sentence-transformers==" not in run
    assert "scikit-learn==" not in run


def test_run_and_test_lock_the_same_versions() -> None:
    """I expect tests to run on what is run."""
    pins = [
        set(re.findall(r"(?m)^[a-z][^ ]*==[^ ]+", (ROOT / "requirements" / f"{name}.txt").read_text()))
        for name in ("run", "test")
    ]
    assert pins[0] <= pins[1]


def test_a_dry_run_shows_the_commands() -> None:
    """I expect `environment.py run --dry-run` to print and to build nothing."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "environment.py"), "run", "--dry-run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) in (3, 4)
