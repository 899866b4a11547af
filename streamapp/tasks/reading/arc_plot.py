"""The picture in the mail: the arc of a book's tone, its chapters, and where the summary's sentences stand.

Drawn with matplotlib's objects on the Agg canvas: pyplot takes three seconds to import and keeps global state. The
ground is opaque and nearly white, since a mail program's dark mode turns text behind a transparent one invisible. Blue
and vermilion are from Okabe and Ito's palette, which people with any colour vision tell apart.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from streamapp.tasks.reading.digest import Digest
from streamapp.tasks.reading.tone import Arc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg

__all__ = ["arc_alt", "arc_png"]

BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
INK: Final = "#22262b"
FAINT: Final = "#6b7280"
GROUND: Final = "#fdfcfa"
DPI: Final = 180
COLOURS: Final = 256
NAMED_CHAPTERS: Final = 14
"""Up to so many chapters have their names under the plot; more have numbers."""
LABEL: Final = 30
"""Characters of such a name at most."""


def arc_png(digest: Digest, arc: Arc, title: str) -> bytes:
    """A PNG, 1800 pixels wide. The same arguments give the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    named = 1 < len(digest.chapters) <= NAMED_CHAPTERS
    layout = ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.14) if len(digest.chapters) > 1 else None
    figure = Figure(figsize=(10, 5.4 if named else 4.6), dpi=DPI, facecolor=GROUND, layout=layout)
    if layout is None:  # what stands around the plot is always the same then, and need not be measured
        figure.subplots_adjust(left=0.078, right=0.986, bottom=0.085, top=0.885)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=GROUND)
    _curve(axes, arc, digest)
    _chapters(axes, digest, named=named)
    _frame(axes, arc, title)
    with warnings.catch_warnings():
        # A heading in a script that the font lacks is drawn as boxes; the mail's text has it in full.
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        canvas.draw()  # type: ignore[no-untyped-call]
    return _png(canvas)


def _png(canvas: FigureCanvasAgg) -> bytes:
    """With a palette: so few colours and their blends look the same, in a third of the bytes and half of the time."""
    from PIL import Image

    drawn = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    picture = Image.frombuffer("RGBA", canvas.get_width_height(), drawn, "raw", "RGBA", 0, 1)
    picture = picture.convert("RGB").quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    # type 3 looks for runs alone: a file nearly as small as at level 6, in half of the time
    picture.save(buffer, "PNG", dpi=(DPI, DPI), compress_level=1, compress_type=3)
    return buffer.getvalue()


def _curve(axes: Axes, arc: Arc, digest: Digest) -> None:
    places = np.arange(len(arc.curve))
    axes.fill_between(
        places, arc.mean - arc.band, arc.mean + arc.band, color=FAINT, alpha=0.13, linewidth=0, label="chance"
    )
    axes.axhline(arc.mean, color=FAINT, linewidth=0.8)
    for side, color in ((arc.curve >= arc.mean, BLUE), (arc.curve <= arc.mean, VERMILION)):
        axes.fill_between(
            places, arc.mean, arc.curve, where=side, interpolate=True, color=color, alpha=0.28, linewidth=0
        )
    axes.plot(places, arc.curve, color=INK, linewidth=1.6, solid_joinstyle="round")
    chosen = digest.chosen
    size = 34 if len(chosen) <= 60 else 16
    axes.scatter(
        chosen,
        arc.curve[chosen],
        s=size,
        color=GROUND,
        edgecolors=INK,
        linewidths=1.1,
        zorder=3,
        label="a sentence of the summary",
    )


def _chapters(axes: Axes, digest: Digest, *, named: bool) -> None:
    starts = np.array([chapter.start for chapter in digest.chapters])
    count = len(digest.texts)
    middles = (starts + np.append(starts[1:], count) - 1) / 2
    for start in starts[1:]:
        axes.axvline(start - 0.5, color=FAINT, linewidth=0.5, alpha=0.55 if named else 0.25)
    if named:
        labels = [_short(chapter.heading) or str(number) for number, chapter in enumerate(digest.chapters, start=1)]
        axes.set_xticks(
            middles, labels, rotation=32, ha="right", rotation_mode="anchor", fontsize=8.5, parse_math=False
        )
    elif len(starts) > 1:
        step = next(step for step in (5, 10, 20, 50, 100, 10**6) if len(starts) / step <= 16)
        shown = [0, *range(step - 1, len(starts), step)]
        axes.set_xticks(middles[shown], [str(place + 1) for place in shown], fontsize=9)
        axes.set_xlabel("chapter", color=FAINT, fontsize=9.5)
    else:
        axes.set_xticks([0, (count - 1) / 2, count - 1], ["beginning", "middle", "end"], fontsize=9)


def _short(heading: str) -> str:
    """A heading without its number, if a name is left, and not too long for a label."""
    name = heading.split(". ", 1)[-1].strip().removeprefix("The Adventure of ")
    name = name[:1].upper() + name[1:]
    return name if len(name) <= LABEL else name[: LABEL - 1].rstrip() + "…"


def _frame(axes: Axes, arc: Arc, title: str) -> None:
    heading = title if len(title) <= 70 else title[:69].rstrip() + "…"
    axes.set_title(heading, loc="left", color=INK, fontsize=13, fontweight="bold", pad=12, parse_math=False)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        frameon=False,
        fontsize=8.5,
        labelcolor=FAINT,
        borderaxespad=0.3,
    )
    reach = max(float(np.abs(arc.curve - arc.mean).max()), float(arc.band.max()), 1e-3) * 1.18
    axes.set_ylim(arc.mean - reach, arc.mean + reach)
    axes.set_yticks(
        [arc.mean - reach * 0.8, arc.mean, arc.mean + reach * 0.8], ["darker", "as usual", "brighter"], fontsize=9.5
    )
    margin = max(0.5, len(arc.curve) * 0.012)
    axes.set_xlim(-margin, len(arc.curve) - 1 + margin)
    axes.tick_params(colors=FAINT, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)


def arc_alt(digest: Digest, arc: Arc, title: str) -> str:
    """What the picture shows, in words: where the tone is brightest and darkest, and whether that is chance."""
    high, low = int(arc.curve.argmax()), int(arc.curve.argmin())
    count = len(digest.texts)
    chapters = f" in {len(digest.chapters)} chapters" if len(digest.chapters) > 1 else ""
    sentences = "sentence" if count == 1 else "sentences"
    marked = len(digest.chosen)
    marks = "A circle marks the one sentence" if marked == 1 else f"Circles mark the {marked:,} sentences"
    chance = (
        f"It varies {arc.ratio:.1f} times as much as the same sentences in random order would."
        if arc.p <= 0.05
        else "It varies no more than the same sentences in random order would."
    )
    return (
        f"A curve of the tone of {title}, over {count:,} {sentences}{chapters}. It is brightest {_where(digest, high)} "
        f"and darkest {_where(digest, low)}. {chance} {marks} of the summary."
    )


def _where(digest: Digest, index: int) -> str:
    share = round(100 * index / max(1, len(digest.texts) - 1))
    inside = [chapter.heading for chapter in digest.chapters if chapter.start <= index]
    return f"at {share} % of the text" + (f" ({inside[-1]})" if inside[-1] else "")
