"""Whose turn it is in a line for few places."""

from __future__ import annotations

import asyncio

from streamapp.jobs.line import Line


async def come(line: Line[str], order: list[int], size: int) -> None:
    """Wait for a place, note that it was had, and give it back at once."""
    place = await line.take(size)
    order.append(size)
    line.give(place, size)


async def test_turns_alternate_between_the_oldest_and_the_smallest() -> None:
    """I expect a letter to pass all books but one, and the books to keep their order."""
    line: Line[str] = Line()
    order: list[int] = []
    tasks = [asyncio.create_task(come(line, order, size)) for size in (101, 102, 103, 104, 1, 2)]
    await asyncio.sleep(0)
    line.give("place")
    await asyncio.gather(*tasks)
    assert order == [101, 1, 102, 2, 103, 104]


async def test_a_stream_of_letters_lets_books_through() -> None:
    """I expect every other turn to be a book's, however many letters come."""
    line: Line[str] = Line()
    order: list[int] = []
    sizes = [1] * 6 + [100] * 3
    tasks = [asyncio.create_task(come(line, order, size)) for size in [100, *sizes]]
    await asyncio.sleep(0)
    line.give("place")
    await asyncio.gather(*tasks)
    assert order[0] == 100
    assert sorted(order) == sorted([100, *sizes])


async def test_free_places_are_taken_at_once_the_last_one_first() -> None:
    """I expect nobody to wait while there is a place."""
    line: Line[str] = Line()
    line.give("first")
    line.give("second")
    assert await line.take(9) == "second"
    assert await line.take(9) == "first"


async def test_who_leaves_the_line_keeps_nothing() -> None:
    """I expect a place to go to the next, also when its taker is cancelled in the moment of his turn."""
    line: Line[str] = Line()
    order: list[int] = []
    waiting, at_turn, last = (asyncio.create_task(come(line, order, size)) for size in (1, 2, 3))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    line.give("place")
    at_turn.cancel()
    await asyncio.wait({at_turn})
    await asyncio.wait_for(last, 1.0)
    assert order == [3]


async def test_the_last_place_is_for_small_work() -> None:
    """I expect a second book to wait although there is a place, a letter to have that, and the book to come after."""
    line: Line[str] = Line(large=50, most=1)
    line.give("first")
    line.give("second")
    assert await line.take(100) == "second"
    order: list[int] = []
    book = asyncio.create_task(come(line, order, 101))
    await asyncio.sleep(0)
    await come(line, order, 50)
    assert order == [50]
    line.give("second", 100)
    await asyncio.wait_for(book, 1.0)
    assert order == [50, 101]
    assert await line.take(102) == "second"


async def test_who_leaves_at_his_turn_leaves_room_for_large_work() -> None:
    """I expect a book that was cancelled in the moment of its turn to count no more."""
    line: Line[str] = Line(large=50, most=1)
    book = asyncio.create_task(line.take(100))
    await asyncio.sleep(0)
    line.give("place")
    book.cancel()
    await asyncio.wait({book})
    assert await asyncio.wait_for(line.take(101), 1.0) == "place"


async def test_many_places_are_had_at_once() -> None:
    """I expect whoever may to have a place as soon as there are several."""
    line: Line[str] = Line(large=50, most=1)
    waiting = [asyncio.create_task(line.take(size)) for size in (100, 101, 1)]
    await asyncio.sleep(0)
    line.give("first")
    line.give("second")
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, False, True]
    line.give("first", 100)
    assert await asyncio.wait_for(waiting[1], 1.0) == "first"
