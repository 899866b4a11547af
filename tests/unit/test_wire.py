"""Bytes become Records strictly, and decoding never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.models import Chunk, ChunkResult, DeadLetter, Delivery, Job, Record, WorkerBeat
from streamapp.wire import Undecodable, decode

SOME = settings(max_examples=60, deadline=None)  # machines of all speeds
RUN: dict[str, Any] = {"tenant": "t", "job_id": "j", "run": 1, "step": 0, "chunk": 0, "predictor": "echo"}
RECORDS: list[Record] = [
    Job(tenant="t", job_id="j", run=1),
    Chunk(**RUN, document="data:;base64,YQ==", media_type="text/plain", size=1, items=[{"text": "é"}], deadline=1.5),
    Chunk(**RUN, document="blob:a", media_type="text/plain", size=1, items=[]),
    ChunkResult(**RUN, version="1", worker="w", seconds=1, outcomes=[{"error": "bad"}]),
    Delivery(delivery_id="d"),
    WorkerBeat(worker="w", host="h", pid=1, device="cpu", predictors=["echo"], items=0, chunks=0, seconds_busy=0.5),
    DeadLetter(topic="t", partition=0, offset=0, reason="r", at=1.0, value="YQ=="),
]
JOB: dict[str, Any] = json.loads(RECORDS[0].dumps())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_is_written_is_read(record: Record) -> None:
    """Each Record comes back as it was."""
    assert decode(type(record), record.dumps()) == record


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "no value"),
        (b"", "EOF"),
        (b"\xff", "JSON"),
        (b"[]", "the bytes"),
        (json.dumps({**JOB, "run": "1"}).encode(), "run: "),
        (json.dumps({**JOB, "run": 1.5}).encode(), "run: "),
        (json.dumps({**JOB, "run": True}).encode(), "run: "),
        (json.dumps({**JOB, "tenant": {"a": 1}}).encode(), "tenant: "),
        (json.dumps({**JOB, "tenant": None}).encode(), "tenant: "),
        (json.dumps({**JOB, "tenant": "\ud800"}).encode(), "JSON"),
        (json.dumps({**JOB, "colour": "red"}).encode(), "colour: "),
        (json.dumps({"run": 1, "__faust": JOB["__faust"]}).encode(), "tenant: "),
        (json.dumps({**JOB, "__faust": {"ns": "streamapp.job.v2"}}).encode(), "streamapp.job.v2"),
        (json.dumps({**JOB, "__faust": {}}).encode(), "namespace"),
        (json.dumps({**JOB, "__faust": "streamapp.job.v1"}).encode(), "__faust"),
        (json.dumps({name: JOB[name] for name in ("tenant", "job_id", "run")}).encode(), "__faust"),
        (RECORDS[4].dumps(), "tenant: "),
        (b'{"a":' * 100_000, "recursion"),
    ],
)
def test_what_is_no_such_record(payload: bytes | None, reason: str) -> None:
    """The reason names what is wrong."""
    found = decode(Job, payload)
    assert isinstance(found, Undecodable)
    assert reason in found.reason


@SOME
@given(st.binary(max_size=300), st.sampled_from(RECORDS))
def test_any_bytes(payload: bytes, record: Record) -> None:
    """Never an exception."""
    assert isinstance(decode(type(record), payload), Undecodable | type(record))
