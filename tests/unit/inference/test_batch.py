"""Which items compute together."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streamapp.inference.batch import Pending, Turns, choose


def waiting(*costs: int, chunk: str = "") -> list[Pending]:
    """Prepared items of one chunk, oldest first."""
    return [
        Pending(ready=place, cost=cost, chunk=chunk, place=place, of=len(costs)) for place, cost in enumerate(costs)
    ]


def costs(batch: list[Pending]) -> list[int]:
    """Their costs, sorted."""
    return sorted(entry.cost for entry in batch)


def test_nothing_waits() -> None:
    """I expect an empty batch."""
    assert choose([], 10) == []


def test_all_that_fits_goes_together() -> None:
    """I expect no sorting out where the budget holds everything."""
    entries = waiting(1, 9, 2)
    assert choose(entries, 12) == entries


def test_the_oldest_is_always_in() -> None:
    """I expect it even where others would fill the budget better."""
    entries = waiting(7, 5, 5)
    assert entries[0] in choose(entries, 10)


def test_one_larger_than_the_budget_goes_alone() -> None:
    """I expect an item that no budget holds to be computed all the same, and by itself."""
    entries = waiting(50, 1, 1)
    assert choose(entries, 10) == entries[:1]


def test_like_goes_with_like() -> None:
    """I expect the batch to be filled with the costs closest to the oldest one's."""
    assert costs(choose(waiting(5, 1, 6, 20, 4, 2), 15)) == [4, 5, 6]
    assert costs(choose(waiting(20, 1, 19, 2, 18), 58)) == [18, 19, 20]
    assert costs(choose(waiting(1, 9, 2, 10), 4)) == [1, 2]
    assert costs(choose(waiting(10, 9, 30), 40)) == [9, 10]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(1, 60))
def test_any_batch(given_costs: list[int], budget: int) -> None:
    """I expect the oldest in it, the budget held, no gap among the costs, and nothing left out that would fit."""
    entries = waiting(*given_costs)
    batch = choose(entries, budget)
    spent = sum(entry.cost for entry in batch)
    assert entries[0] in batch
    assert len({id(entry) for entry in batch}) == len(batch)
    assert spent <= budget or batch == entries[:1]
    rest = [entry for entry in entries if entry not in batch]
    low, high = costs(batch)[0], costs(batch)[-1]
    assert not any(low < entry.cost < high for entry in rest)
    for side in ([e.cost for e in rest if e.cost >= high], [e.cost for e in rest if e.cost <= low]):
        nearest = min(side, key=lambda cost: min(abs(cost - low), abs(cost - high)), default=None)
        assert nearest is None or spent + nearest > budget


def test_a_small_chunk_and_the_oldest_item_go_together() -> None:
    """I expect both whoever begins, though the small one is the newest, and then those closest in cost to the first."""
    book, short = waiting(9, 9, 8, 5, 6, chunk="book"), waiting(5, 2, chunk="short")
    assert choose(book + short, 25, smallest=True) == [*short, book[0], book[3]]
    assert choose(book + short, 25) == [book[0], *short, book[1]]


def test_small_chunks_go_together() -> None:
    """I expect all of two chunks that take no more than half of a batch together, and of a third not all of it."""
    book, parts = waiting(9, 9, 9, chunk="book"), [waiting(2, 2, chunk=name) for name in ("a", "b", "c")]
    entries = book + [entry for part in parts for entry in part]
    assert choose(entries, 17)[:5] == [book[0], *parts[0], *parts[1]]
    assert choose(entries, 17, smallest=True)[:5] == [*parts[0], *parts[1], book[0]]


def test_where_there_is_no_room_for_both_they_take_turns() -> None:
    """I expect the smallest chunk's items and what is like them, or the oldest item and what is like that."""
    book, short = waiting(17, 9, 9, 5, 6, chunk="book"), waiting(5, 2, chunk="short")
    assert costs(choose(book + short, 20, smallest=True)) == [2, 5, 5, 6]
    assert choose(book + short, 20) == book[:1]


def test_what_takes_more_than_half_of_a_batch_rides_with_nobody() -> None:
    """I expect a chunk of a book's size to leave the batch to what is like its oldest item."""
    book, another = waiting(9, 9, 9, 9, 9, chunk="book"), waiting(2, 3, 4, 5, chunk="another")
    assert costs(choose(book + another, 27)) == [9, 9, 9]


def test_a_smallest_chunk_beyond_the_budget() -> None:
    """I expect as many of its items as the budget holds, in their order, and one at least."""
    book, short = waiting(30, 30, chunk="book"), waiting(7, 9, 8, chunk="short")
    assert choose(book + short, 16, smallest=True) == short[:2]
    assert choose(book + short, 5, smallest=True) == short[:1]


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=5), st.integers(1, 30))
@example([[1, 1, 1, 1, 9], [4, 1, 4, 3]], 11)  # what is closest may be of the chunk that it begins with
def test_any_batch_of_the_smallest(chunks: list[list[int]], budget: int) -> None:
    """I expect its first item in it, nothing twice, the budget held, and what is closest left out only if too large."""
    entries = [entry for number, chunk in enumerate(chunks) for entry in waiting(*chunk, chunk=str(number))]
    batch = choose(entries, budget, smallest=True)
    spent = sum(entry.cost for entry in batch)
    first = min(range(len(chunks)), key=lambda number: sum(chunks[number]))
    assert next(entry for entry in entries if entry.chunk == str(first)) in batch
    assert len(set(map(id, batch))) == len(batch)
    assert spent <= budget or len(batch) == 1
    rest = [entry.cost for entry in entries if entry not in batch]
    closest = min(rest, key=lambda cost: (abs(cost - batch[0].cost), cost), default=budget)
    assert spent + closest > budget


@given(st.lists(st.integers(1, 10), min_size=1, max_size=40), st.integers(1, 30))
def test_everything_is_chosen_in_the_end(given_costs: list[int], budget: int) -> None:
    """I expect each batch to take the oldest, so that no item waits longer than there are items."""
    entries = waiting(*given_costs)
    for _ in range(len(given_costs)):
        batch = choose(entries, budget)
        entries = [entry for entry in entries if entry not in batch]
    assert entries == []


def batches(entries: list[Pending], budget: int) -> list[list[Pending]]:
    """All of them, one after the other."""
    turns, made = Turns(), []
    while entries:
        made.append(turns.next(entries, budget))
        chosen = set(map(id, made[-1]))
        entries = [entry for entry in entries if id(entry) not in chosen]
    return made


def test_short_chunks_have_a_batch_to_themselves() -> None:
    """I expect those of no more than half a batch first and alone, and then the book in full batches."""
    book, short = waiting(*[5] * 12, chunk="book"), waiting(3, 3, chunk="short") + waiting(4, chunk="other")
    first, *rest = batches(book + short, 20)
    assert first == short
    assert [costs(batch) for batch in rest] == [[5] * 4] * 3


def test_a_book_s_batch_comes_between_two_of_short_chunks() -> None:
    """I expect newcomers to ride along with the book right after others had a batch to themselves."""
    turns, book = Turns(), waiting(*[5] * 12, chunk="book")
    short, newer = waiting(3, 3, chunk="short"), waiting(3, 3, chunk="newer")
    assert turns.next(book + short, 20) == short
    ridden = turns.next(book + newer, 20)
    assert set(map(id, newer)) < set(map(id, ridden))
    assert sum(entry.cost for entry in ridden) > 10


def test_many_short_chunks_are_no_short_batch() -> None:
    """I expect a usual batch where they would take more than half of one: it is as quick, and full."""
    book = waiting(*[5] * 12, chunk="book")
    many = [entry for name in "abcd" for entry in waiting(3, chunk=name)]
    assert costs(Turns().next(book + many, 20)) == [3, 3, 3, 3, 5]


def test_what_is_left_of_a_book_is_not_short() -> None:
    """I expect the last items of a chunk, of which others were computed before, to be filled up with another's."""
    left, book = waiting(5, 5, 5, 5, chunk="left")[3:], waiting(*[5] * 12, chunk="book")
    assert len(Turns().next(left + book, 20)) == 4


def test_a_batch_that_holds_everything_is_not_parted() -> None:
    """I expect short chunks and the rest of a book together where both fit."""
    entries = waiting(5, 5, 5, chunk="book") + waiting(3, chunk="short")
    assert batches(entries, 20) == [entries]


def test_a_suspect_that_is_oldest_goes_before_short_chunks() -> None:
    """I expect it alone, and an item under suspicion in no batch of others."""
    suspect, other = waiting(1, chunk="suspect"), waiting(2, chunk="other")
    suspect[0].alone = other[0].alone = True
    book, short = waiting(*[5] * 12, chunk="book"), waiting(3, chunk="short")
    assert batches(suspect + book + other + short, 20)[0] == suspect
    assert Turns().next(book + other + short, 20) == short


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=8), st.integers(1, 30))
def test_turns_compute_everything_once(chunks: list[list[int]], budget: int) -> None:
    """I expect each item in one batch, the budget held, and the oldest in one of the next four at any time."""
    entries = [entry for number, chunk in enumerate(chunks) for entry in waiting(*chunk, chunk=str(number))]
    made = batches(entries, budget)
    assert sorted(id(entry) for batch in made for entry in batch) == sorted(map(id, entries))
    assert all(sum(entry.cost for entry in batch) <= budget or len(batch) == 1 for batch in made)
    place = {id(entry): number for number, batch in enumerate(made) for entry in batch}
    for number in range(len(made)):
        oldest = next(entry for entry in entries if place[id(entry)] >= number)
        assert place[id(oldest)] < number + 4
