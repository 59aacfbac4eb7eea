"""A page of sections as one HTML file: nothing to fetch, good on a phone and on paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
import io
import re
from typing import Any

from rapid_nav.offline.reporting.plots import figure


@dataclass(frozen=True)
class Plot:
    """A picture that is drawn when the page is made: draw(axes) of one or several panels."""

    caption: str
    draw: Callable[[Any], None]
    width: float = 5.2  # [in] narrow, so that its words are large enough on a phone
    height: float = 3.6  # [in]
    panels: int = 1


@dataclass(frozen=True)
class Section:
    """A report on the page: a heading, a line of facts, a table, pictures."""

    title: str
    source: str
    facts: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    plots: Sequence[Plot] = field(default_factory=tuple)


STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; border-top: 1px solid #ccc;
  padding-top: 1rem; margin-top: 2rem; overflow-wrap: anywhere; }
.source { color: #555; font-size: .85rem; overflow-wrap: anywhere; }
dl { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; } dt { color: #555; font-size: .85rem; }
dd { margin: 0; font-weight: 600; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: right;
  white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; max-width: 46rem; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { color: #444; font-size: .9rem; }
@media print { body { max-width: none; font-size: 10pt; padding: 0; }
  h2 { break-after: avoid; } figure, tr { break-inside: avoid; }
  .table { overflow: visible; } table { font-size: 8pt; }
  th, td { white-space: normal; padding: .1rem .4rem; }
  figure { display: inline-block; width: 48%; margin: .5rem .5% 0; vertical-align: top; } }
"""


def page(title: str, sections: Sequence[Section]) -> str:
    """Return the whole page."""
    body = '\n'.join(_section(section, number) for number, section in enumerate(sections))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f'<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n'
    )


def _section(section: Section, number: int) -> str:
    parts = [
        f'<section><h2>{escape(section.title)}</h2>',
        f'<p class="source">{escape(section.source)}</p>',
    ]
    if section.facts:
        parts.append(
            '<dl>'
            + ''.join(
                f'<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
                for name, value in section.facts
            )
            + '</dl>'
        )
    if section.rows:
        head = ''.join(f'<th scope="col">{escape(column)}</th>' for column in section.columns)
        body = ''.join(
            '<tr>' + ''.join(f'<td>{escape(cell)}</td>' for cell in row) + '</tr>'
            for row in section.rows
        )
        parts.append(
            f'<div class="table"><table><thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody></table></div>'
        )
    parts += [_figure(plot, f'{number}-{index}') for index, plot in enumerate(section.plots)]
    return '\n'.join([*parts, '</section>'])


def _figure(plot: Plot, name: str) -> str:
    return (
        f'<figure role="img" aria-label="{escape(plot.caption)}">{svg(plot, name)}'
        f'<figcaption>{escape(plot.caption)}</figcaption></figure>'
    )


def svg(plot: Plot, name: str) -> str:
    """Return a picture as an SVG element whose ids no other picture on the page has."""
    import matplotlib

    kept = io.StringIO()
    with (
        matplotlib.rc_context(
            {
                'svg.hashsalt': name,
                'svg.fonttype': 'none',
                'font.family': ['DejaVu Sans', 'sans-serif'],
            }
        ),
        figure(plot.width, plot.height, plot.panels) as (made, axes),
    ):
        plot.draw(axes)
        made.savefig(kept, format='svg', metadata={'Date': None})
    text = kept.getvalue()
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    return text[text.index('<svg') :].replace('id="figure_1"', f'id="figure-{name}"')
