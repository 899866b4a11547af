"""A message is logged again after a while, with how often it was held back."""

from __future__ import annotations

import logging

import pytest

from streamapp import repeats
from streamapp.repeats import EVERY_S, MOST, Repeats


def said(filtering: Repeats, message: str, *args: object) -> str | None:
    """What is logged of this."""
    record = logging.LogRecord("aiokafka.conn", logging.ERROR, __file__, 1, message, args, None)
    return record.getMessage() if filtering.filter(record) else None


def test_the_same_again_is_held_back_and_counted() -> None:
    """I expect the first of many at once, and the next after ten seconds, with a count."""
    times = iter([100.0, *(101.0 for _ in range(99)), 100.0 + EVERY_S, 100.0 + 2 * EVERY_S])
    filtering = Repeats(now=lambda: next(times))
    assert said(filtering, "no node %d", 1) == "no node 1"
    assert [said(filtering, "no node %d", 1) for _ in range(99)] == [None] * 99
    assert said(filtering, "no node %d", 1) == "no node 1 (99 more times in the last 10 s)"
    assert said(filtering, "no node %d", 1) == "no node 1"


def test_another_message_is_not_held_back() -> None:
    """I expect what differs in its arguments alone to be another."""
    filtering = Repeats()
    assert [said(filtering, "no node %d", number) for number in range(3)] == ["no node 0", "no node 1", "no node 2"]


def test_it_keeps_no_more_in_mind_than_it_may() -> None:
    """I expect messages that never come again not to fill the memory."""
    filtering = Repeats()
    for number in range(3 * MOST):
        assert said(filtering, "message %d", number)
    assert len(filtering._seen) <= MOST


def test_the_client_s_loggers_have_it(caplog: pytest.LogCaptureFixture) -> None:
    """I expect a child of a logger, which is asked by itself, to say a thing once."""
    logger = logging.getLogger("aiokafka.of-this-test")
    repeats.say_once_in_a_while()
    for _ in range(3):
        logger.error("Unable connect to node with id %s", 1)
    assert caplog.messages == ["Unable connect to node with id 1"]
