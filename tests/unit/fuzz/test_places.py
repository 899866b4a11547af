"""The routes that are fuzzed are those that there are."""

from __future__ import annotations

import random

from fuzz.mix import BY_HAND, made
from fuzz.places import PLACES, filled
from fuzz.shot import Target
from fuzz.strangers import PATHS
from tests.routes import every_route

TARGET = Target(1, {"anna": "a key"}, ["0192f0c1-2b3a-7c4d-8e5f-6a7b8c9d0e1f"])


def test_every_route_is_fuzzed() -> None:
    """A new call that nobody sends anything to would be missed for ever."""
    fuzzed = {(place.method, place.path) for place in PLACES}

    assert every_route() - fuzzed == set()
    assert {path for _, path in fuzzed} == {path for _, path in every_route()}


def test_a_stranger_asks_for_all_that_has_an_id() -> None:
    """Each path with the id of a job, a line, a dead letter or a delivery, but for PUT, which makes one's own."""
    ids = ("job_id", "line", "letter", "delivery")
    named = {(method, path) for method, path in every_route() if any(f"{{{each}}}" in path for each in ids)}
    asked = {(method, path.split("?")[0]) for method, path in PATHS}

    def spelt(path: str) -> str:
        for own, there in (
            ("{job}", "{job_id}"),
            ("{parked}/sent", "{delivery}/{how}"),
            ("{parked}/resend", "{delivery}/{how}"),
        ):
            path = path.replace(own, there)
        return path.replace("attachments/1", "attachments/{position}").replace("report.txt", "report.{suffix}")

    assert named - {(method, spelt(path)) for method, path in asked} == {("PUT", "/v1/jobs/{job_id}")}


def test_each_number_draws_its_own_request_again() -> None:
    """From the seed, the name and the number alone; else nothing that was found could be repeated."""
    for name in (*BY_HAND, "slow"):
        drawn = [made(name, number, 7, TARGET) for number in range(40)]
        assert drawn == [made(name, number, 7, TARGET) for number in range(40)]
        assert len({shot.sent for shot in drawn}) > 20
        assert drawn != [made(name, number, 8, TARGET) for number in range(40)]


def test_what_has_no_end_is_not_waited_for() -> None:
    """A stream of events, also where chance made a GET of a HEAD: else the run's slowest answer is one of those."""
    drawn = [made("routes", number, 20261126, TARGET) for number in range(7000)]
    streams = [shot for shot in drawn if shot.sent.startswith(b"GET ") and shot.route.endswith(("/events", "/stream"))]
    assert len(streams) > 100
    assert {shot.listens_s for shot in streams} == {0.4}


def test_parameters_are_filled() -> None:
    """No brace is left, whatever chance says."""
    chance = random.Random(1)
    for place in PLACES:
        assert "{job_id}" not in filled(chance, TARGET, place.path)
