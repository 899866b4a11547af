"""Lanes: a quarter of the places for a domain, a short wait where it moves, and a pause where nothing answers."""

from __future__ import annotations

import asyncio

import pytest

from streamapp.delivery import lane, lanes
from streamapp.delivery.lanes import Lanes, PutOff, Turn, domain_of

PAUSE_S = 60.0


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At an arbitrary time."""
    return Clock()


@pytest.fixture
def eight(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Lanes:
    """Eight places, so two for a domain, by that clock; waiting in line takes no second of a test's time."""
    monkeypatch.setattr(lanes, "STEP_S", 0.05)
    return Lanes(8, PAUSE_S, clock)


async def turn(of: Lanes, domain: str) -> Turn:
    """A turn, which there must be."""
    given = await of.enter(domain)
    assert isinstance(given, Turn), given
    return given


async def put_off(of: Lanes, domain: str) -> PutOff:
    """No turn."""
    given = await of.enter(domain)
    assert isinstance(given, PutOff), "there was room"
    return given


def end(given: Turn, *, hung: bool = False) -> None:
    """End a conversation."""
    with given:
        given.ended(hung=hung)


@pytest.mark.parametrize(
    ("recipient", "domain"),
    [
        ("reader@example.org", "example.org"),
        ("reader@EXAMPLE.org.", "example.org"),
        ('"a@b"@example.org', "example.org"),
        ("reader@bücher.example", "xn--bcher-kva.example"),
        ("reader@BÜCHER.example", "xn--bcher-kva.example"),
        ("reader@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("reader@" + "x" * 70 + ".org", "x" * 70 + ".org"),  # no label of DNS, and no reason to fail here
        ("reader@", ""),
    ],
)
def test_domains(recipient: str, domain: str) -> None:
    """I expect every spelling of a domain to be one lane."""
    assert domain_of(recipient) == domain


@pytest.mark.parametrize(("places", "share"), [(1, 1), (3, 1), (4, 1), (8, 2), (16, 4)])
async def test_a_domain_has_a_quarter(clock: Clock, places: int, share: int) -> None:
    """I expect that many turns for one domain, the rest for others, and the total to be bounded."""
    many = Lanes(places, PAUSE_S, clock)
    for _ in range(share):
        await turn(many, "hangs.example")
    clock.now += 2.0  # nothing moves in that lane: nobody waits for it
    await put_off(many, "hangs.example")
    for number in range(places - share):
        await turn(many, f"{number}.example")
    assert many._busy == places


async def test_a_lane_that_moves_is_waited_for(eight: Lanes) -> None:
    """I expect the third to have its turn as soon as the first is through, in the order of coming."""
    first, _ = await turn(eight, "a.example"), await turn(eight, "a.example")
    third = asyncio.create_task(turn(eight, "a.example"))
    fourth = asyncio.create_task(eight.enter("a.example"))
    await asyncio.sleep(0)
    end(first)
    await third
    assert isinstance(await fourth, PutOff)


async def test_a_line_is_short(eight: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect those beyond the line's length to be put off without waiting."""
    monkeypatch.setattr(lanes, "FIRST_LINE", 1)
    monkeypatch.setattr(lanes, "STEP_S", 30.0)
    first, _ = await turn(eight, "a.example"), await turn(eight, "a.example")
    waiting = asyncio.create_task(eight.enter("a.example"))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await put_off(eight, "a.example")
    end(first)
    assert isinstance(await waiting, Turn)


async def known(of: Lanes, clock: Clock, domain: str, each_s: float) -> None:
    """Conversations with a domain, until its lane's pace is known."""
    for _ in range(lane.FEW):
        given = await turn(of, domain)
        clock.now += each_s
        end(given)


async def test_a_line_is_as_long_as_its_pace_allows(eight: Lanes, clock: Clock) -> None:
    """I expect those to wait who have their turn within seconds, and the next to come again when theirs has come."""
    await known(eight, clock, "a.example", 0.9)  # two at a time, so two and a bit a second
    await turn(eight, "a.example"), await turn(eight, "a.example")
    allowed = int(1 + lanes.EXPECTED_S // 0.45)
    waiting = [asyncio.create_task(eight.enter("a.example")) for _ in range(allowed)]
    await asyncio.sleep(0)
    delays = [(await put_off(eight, "a.example")).delay_s for _ in range(100)]
    assert delays == pytest.approx([lanes.SHORTEST_S + 0.45 * number for number in range(100)])
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_quick_domain_may_have_half(eight: Lanes, clock: Clock) -> None:
    """I expect more than a quarter for one that answers quickly, where half of all places are free for others."""
    await known(eight, clock, "a.example", 0.02)
    turns = [await turn(eight, "a.example") for _ in range(4)]
    fifth = asyncio.create_task(eight.enter("a.example"))
    others = [await turn(eight, f"{number}.example") for number in range(4)]
    end(turns.pop())
    await asyncio.sleep(0)
    assert not fifth.done()  # seven are taken, and its quarter too
    for each in others:
        end(each)
    assert isinstance(await fifth, Turn)


@pytest.mark.parametrize(("each_s", "idle_s"), [(0.6, 0.0), (0.02, 1.5)])
async def test_a_domain_that_is_not_quick_has_a_quarter(
    eight: Lanes, clock: Clock, each_s: float, idle_s: float
) -> None:
    """I expect no more for one that answers slowly, or whose last answer is some time ago: it may hang by now."""
    await known(eight, clock, "a.example", each_s)
    clock.now += idle_s
    await turn(eight, "a.example"), await turn(eight, "a.example")
    third = asyncio.create_task(eight.enter("a.example"))
    await asyncio.sleep(0)
    assert not third.done()
    assert eight._busy == 2
    third.cancel()


async def test_who_comes_before_the_pace_is_known_comes_again_soon(
    eight: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect a burst to be put off for a second or two each, and not by a guess."""
    monkeypatch.setattr(lanes, "FIRST_LINE", 0)
    await turn(eight, "a.example"), await turn(eight, "a.example")
    delays = [(await put_off(eight, "a.example")).delay_s for _ in range(500)]
    assert lanes.SHORTEST_S <= min(delays) < max(delays) <= 2 * lanes.SHORTEST_S


async def test_a_line_that_turns_out_to_be_slow_is_shortened(eight: Lanes, clock: Clock) -> None:
    """I expect those at its end to be put off as soon as the pace is known, not after their longest wait."""
    first, second = await turn(eight, "a.example"), await turn(eight, "a.example")
    waiting = [asyncio.create_task(eight.enter("a.example")) for _ in range(100)]
    await asyncio.sleep(0)
    for each in (first, second):
        clock.now += 0.9
        end(each)
    _, left = await asyncio.wait(waiting, timeout=0.02)
    assert 0 < len(left) <= 1 + lanes.EXPECTED_S / 0.45
    assert [isinstance(early.result(), Turn) for early in waiting[:3] if early.done()] == [True, True]
    for late in left:
        late.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def test_a_lane_that_stands_is_not_waited_for(
    eight: Lanes, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I expect no message to be held for a domain in which nothing began or ended for a second."""
    monkeypatch.setattr(lanes, "STEP_S", 30.0)
    await turn(eight, "a.example"), await turn(eight, "a.example")
    clock.now += 1.5
    async with asyncio.timeout(10):
        assert not (await put_off(eight, "a.example")).shut


async def test_a_line_that_comes_to_stand_is_left(eight: Lanes, clock: Clock) -> None:
    """I expect one in line to be put off once nothing has moved for a second, and not after its longest wait."""
    await turn(eight, "a.example"), await turn(eight, "a.example")
    waiting = asyncio.create_task(put_off(eight, "a.example"))
    await asyncio.sleep(0)
    clock.now += 1.5
    assert not (await waiting).shut


async def test_free_places_go_round(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect domains to have their turns one after the other, however long the first one's line is."""
    monkeypatch.setattr(lanes, "STEP_S", 30.0)
    one = Lanes(1, PAUSE_S, clock)
    served: list[str] = []

    async def converse(domain: str) -> None:
        with await turn(one, domain) as mine:
            served.append(domain)
            mine.ended(hung=False)

    first = await turn(one, "a.example")
    tasks = [asyncio.create_task(converse(f"{name}.example")) for name in "aaab"]
    await asyncio.sleep(0)
    end(first)
    await asyncio.gather(*tasks)
    assert served.index("b.example") < 2


async def test_who_is_cancelled_while_waiting_takes_no_place(eight: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect a drain to lose no place, also when the place came at that very moment."""
    monkeypatch.setattr(lanes, "STEP_S", 30.0)
    turns = [await turn(eight, "a.example") for _ in range(2)]
    waiting = [asyncio.create_task(eight.enter("a.example")) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    end(turns[0])
    waiting[0].cancel()  # its turn is given, and it has not seen it
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*waiting, return_exceptions=True)
    )
    end(turns[1])
    assert eight._busy == 0
    await turn(eight, "a.example"), await turn(eight, "a.example")


async def test_a_domain_that_hangs_is_shut(eight: Lanes, clock: Clock) -> None:
    """I expect a pause after a conversation's whole time without an answer, one probe then, and a longer pause."""
    first, second = await turn(eight, "a.example"), await turn(eight, "a.example")
    clock.now += 60.0
    end(first, hung=True)
    end(second, hung=True)  # hung beside it: no second offence
    off = await put_off(eight, "a.example")
    assert off.shut
    assert PAUSE_S <= off.delay_s <= PAUSE_S * 1.25
    clock.now += PAUSE_S
    probe = await turn(eight, "a.example")
    assert (await put_off(eight, "a.example")).shut
    clock.now += 60.0
    end(probe, hung=True)
    clock.now += PAUSE_S
    assert (await put_off(eight, "a.example")).delay_s >= PAUSE_S
    clock.now += PAUSE_S
    await turn(eight, "a.example")


async def test_an_answer_opens_a_lane(eight: Lanes, clock: Clock) -> None:
    """I expect a probe that is answered, be it with a refusal, to open the whole lane."""
    given = await turn(eight, "a.example")
    clock.now += 60.0
    end(given, hung=True)
    clock.now += PAUSE_S
    end(await turn(eight, "a.example"))
    await turn(eight, "a.example"), await turn(eight, "a.example")


async def test_a_probe_that_says_nothing_leaves_the_lane_shut(eight: Lanes, clock: Clock) -> None:
    """I expect a turn without a conversation (the mail was another's) to prove nothing either way."""
    given = await turn(eight, "a.example")
    clock.now += 60.0
    end(given, hung=True)
    clock.now += PAUSE_S
    with await turn(eight, "a.example"):
        pass
    await turn(eight, "a.example")
    assert (await put_off(eight, "a.example")).shut


async def test_one_mailbox_that_hangs_shuts_no_domain(eight: Lanes, clock: Clock) -> None:
    """I expect a domain that answered others meanwhile to stay open."""
    hangs, goes = await turn(eight, "a.example"), await turn(eight, "a.example")
    clock.now += 1.0
    end(goes)
    clock.now += 59.0
    end(hangs, hung=True)
    await turn(eight, "a.example"), await turn(eight, "a.example")


async def test_a_line_that_hangs_is_sent_home(eight: Lanes, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect those in line to be put off at once when the lane is shut."""
    monkeypatch.setattr(lanes, "STEP_S", 30.0)
    given, _ = await turn(eight, "a.example"), await turn(eight, "a.example")
    waiting = asyncio.create_task(put_off(eight, "a.example"))
    await asyncio.sleep(0)
    clock.now += 60.0
    end(given, hung=True)
    async with asyncio.timeout(10):
        assert (await waiting).shut


async def test_a_long_queue_comes_back_slowly(eight: Lanes, clock: Clock) -> None:
    """I expect what is put off to be spread in proportion to the queue, but no further than some minutes."""
    await turn(eight, "a.example"), await turn(eight, "a.example")
    clock.now += 2.0
    delays = [(await put_off(eight, "a.example")).delay_s for _ in range(3000)]
    assert delays[0] < 2.0
    within_ten = sum(delay <= 10.0 for delay in delays)
    assert within_ten <= 10.0 / lanes.SLOW_GAP_S
    assert max(delays) <= (lanes.FARTHEST_S + 1.0) * 1.25
    assert max(delays) > lanes.FARTHEST_S


async def test_lanes_without_use_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """I expect memory to be bounded, whatever domains people type, and a lane that hangs to be remembered."""
    monkeypatch.setattr(lanes, "MANY", 10)
    many = Lanes(8, PAUSE_S, clock)
    hangs = await turn(many, "hangs.example")
    clock.now += 60.0
    end(hangs, hung=True)
    for number in range(100):
        end(await turn(many, f"{number}.example"))
    assert len(many._lanes) <= 11
    assert (await put_off(many, "hangs.example")).shut


async def test_a_lane_that_moves_again_is_as_it_was(eight: Lanes, clock: Clock) -> None:
    """I expect a stall to cost only those who came in it: neither its queue nor its length counts after."""
    slow = [await turn(eight, "a.example") for _ in range(2)]
    clock.now += 50.0
    waits = [(await put_off(eight, "a.example")).delay_s for _ in range(200)]
    assert waits[-1] > 20.0
    for each in slow:
        end(each)
    again = [await turn(eight, "a.example") for _ in range(2)]
    clock.now += 2.0
    assert (await put_off(eight, "a.example")).delay_s < 2.0
    for each in again:
        end(each)
    assert eight._lanes["a.example"].mean_s < 1.0
