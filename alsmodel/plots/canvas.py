"""Matplotlib to one clean SVG string: placeholder colours to CSS variables, prefixed ids, rounded coordinates."""

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Colours that no figure would pick by chance; each becomes a CSS variable of the page.
INK: Final = "#0a0101"
SOFT: Final = "#0a0102"
LINE: Final = "#0a0103"
PAGE: Final = "#0a0104"
SERIES: Final = tuple(f"#0a01{i:02x}" for i in range(16, 24))
COLOUR_VARIABLES: Final = {
    INK: "--ink",
    SOFT: "--soft",
    LINE: "--line",
    PAGE: "--page",
    **{colour: f"--c{i}" for i, colour in enumerate(SERIES, start=1)},
}
# Every series also differs in dashes, for readers and printers without colour.
DASHES: Final = ("-", (0, (4, 2)), (0, (1, 1.4)), (0, (5, 1.5, 1, 1.5)), (0, (7, 2)), (0, (2, 2)), (0, (3, 1, 1, 1, 1, 1)), "-")
WIDTH: Final = 7.6

_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.6,
    "path.simplify": False,
}


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """The style of all figures, with ids that depend on `name` only."""
    style: Any = {str(key): value for key, value in mpl.rcParamsDefault.items()} | _STYLE
    style.pop("backend", None)
    with mpl.rc_context(style | {"svg.hashsalt": name}):
        yield


def blank(width: float = WIDTH, height: float = 3.2) -> Figure:
    """An empty figure of `width` by `height` inches, laid out tightly; no global figure is touched."""
    return Figure(figsize=(width, height), layout="constrained")


def panels(n: int, *, columns: int = 3, height: float = 2.5, sharey: bool = True) -> tuple[Figure, list[Axes]]:
    """`n` panels in rows of at most `columns`, each `height` inches high, same axes throughout."""
    wide = min(n, columns)
    rows = -(-n // wide)
    figure = blank(height=height * rows)
    grid = figure.subplots(rows, wide, sharex=True, sharey=sharey, squeeze=False)
    axes = [ax for row in grid for ax in row]
    for spare in axes[n:]:
        spare.set_visible(False)
    for i, ax in enumerate(axes[:n]):
        # The last panel above an empty place must show its own time axis.
        ax.tick_params(labelbottom=i + wide >= n)
    return figure, axes[:n]


def month_ticks(end: float, most: int) -> list[float]:
    """At most about `most` round times from 0 to `end`; whole quarters or years where months allow."""
    ticks = MaxNLocator(most, steps=[1, 2, 3, 6, 10]).tick_values(0, end)
    return [float(t) for t in ticks if 0 <= t <= end * (1 + 1e-9)]


def wrapped(text: str, width: int) -> str:
    """`text` in lines of about `width` characters."""
    return "\n".join(textwrap.wrap(text, width)) or text


def series_colour(i: int) -> str:
    """Placeholder of series `i`; repeats after the last."""
    return SERIES[i % len(SERIES)]


def ordered_groups[T](values: Sequence[T]) -> list[T]:
    """Each group once, in the order given."""
    return list(dict.fromkeys(values))


def to_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as one ``<svg>`` element for a page.

    Parameters
    ----------
    figure : Figure
        Drawn under `drawing` with the same `name`.
    name : str
        Prefix of every id; must differ between figures of one page.
    title, description : str
        For readers who do not see the figure.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = text[text.index("<svg") :]
    text = _rounded(text)
    text = _prefixed(text.replace("xlink:href", "href"), name)
    text = re.sub(r"font: ?([0-9.]+px|[^;\"]*?[0-9.]+px) [^;\"]+", lambda m: f"font: {m[1]} var(--sans)", text)
    for colour, variable in COLOUR_VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    view = re.search(r'viewBox="([^"]+)"', text)
    box = view[1] if view else "0 0 1 1"
    width = box.split()[2]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" class="figure" '
        f'style="--natural:{width}px" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    body = re.sub(r"\n\s*", "\n", text[text.index(">") + 1 :]).strip()
    return head + body


def _rounded(text: str) -> str:
    """Coordinates inside tags with at most two decimals; words between tags are left alone."""

    def shorter(tag: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d+(?:e-?\d+)?", lambda number: f"{round(float(number[0]), 2) + 0.0:g}", tag[0])

    return re.sub(r"<[a-z][^>]*>", shorter, text)


def _prefixed(text: str, name: str) -> str:
    """Ids that something refers to get the prefix; all others go."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))

    def renamed(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', renamed, text)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
