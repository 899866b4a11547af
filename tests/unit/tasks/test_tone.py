from __future__ import annotations

import numpy as np
import pytest

from streamapp.tasks.reading.tone import _Smoother, arc_of, tones
from streamapp.tasks.reading.wire import WIDTH


def test_the_head_fits_the_embeddings() -> None:
    """One tone a row, and finite."""
    found = tones(np.zeros((3, WIDTH), dtype=np.float32))
    assert found.shape == (3,)
    assert np.isfinite(found).all()


def test_a_wave_is_found_and_its_shuffle_is_flat() -> None:
    """The statistic tells an arc from the same values in random order."""
    random = np.random.default_rng(3)
    values = 0.15 * np.sin(np.linspace(0, 9, 2000)) + random.normal(scale=0.2, size=2000)
    arc, flat = arc_of(values), arc_of(random.permutation(values))
    assert arc.ratio > 5
    assert arc.p == pytest.approx(0.005)
    assert flat.ratio < 2.5
    assert np.ptp(flat.curve) < np.ptp(arc.curve) / 2


def test_the_expected_variance_is_that_of_shuffles() -> None:
    """Over many shuffles the ratio is one, and the band holds nineteen points in twenty."""
    random = np.random.default_rng(4)
    values = random.normal(size=300)
    arcs = [arc_of(random.permutation(values)) for _ in range(40)]
    assert np.mean([arc.ratio for arc in arcs]) == pytest.approx(1, abs=0.2)
    outside = np.mean([np.abs(arc.curve - arc.mean) > arc.band for arc in arcs])
    assert 0.02 < outside < 0.09


def test_smoothing_keeps_a_constant() -> None:
    """Also at the ends, where the kernel is cut."""
    assert _Smoother(50)(np.full(50, 0.3)) == pytest.approx(np.full(50, 0.3))


@pytest.mark.parametrize("values", [[0.2], [0.2, 0.2], [0.1, -0.1, 0.3], [0.0] * 40])
def test_short_and_flat_texts_have_an_arc(values: list[float]) -> None:
    """No division by nothing; what can't vary is flat."""
    arc = arc_of(np.array(values))
    assert arc.curve.shape == (len(values),)
    assert np.isfinite(arc.curve).all()
    assert np.isfinite(arc.band).all()
    assert arc.ratio >= 0


def test_the_arc_is_the_same_each_time() -> None:
    """The permutation test has a seed."""
    values = np.random.default_rng(1).normal(size=100)
    assert arc_of(values).p == arc_of(values).p
