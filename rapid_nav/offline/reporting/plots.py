"""Pictures of figures: how good against how costly, exits, times, learning. Axes have units."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
from pathlib import Path
from typing import Any, NamedTuple, TYPE_CHECKING

from rapid_nav.exit_colors import exit_color
from rapid_nav.offline.reporting.kinds import (
    DroneEvaluation,
    DroneRow,
    Evaluation,
    EvaluationRow,
    Summary,
    ThreadTimes,
)
from rapid_nav.offline.reporting.label_placement import name_points, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAPER = (0.25, 0.91)
"""RAPID-RL's drone: share of the operations, share of the distance (arXiv 2109.08231)."""

PAPER_ATARI = (0.34, 0.88)
"""RAPID-RL's Atari games: share of the operations, share of the score (arXiv 2109.08231)."""

# Okabe and Ito's colours, which differ in colour-blind eyes too; styles differ in print.
LINES = ('#0072B2', '#E69F00', '#009E73', '#D55E00', '#56B4E9', '#CC79A7', '#000000')
STYLES = ('-', '--', '-.', ':')
MARKERS = ('o', 's', '^', 'D', 'v', 'P')
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LEVEL_NAMES = 5  # worlds whose names fit beside each other
_SWEPT = 'threshold'  # how the names of points begin that are not operating points


@contextlib.contextmanager
def figure(width: float = 7.0, height: float = 4.2, panels: int = 1) -> Iterator[Any]:
    """Yield a figure and its axes, one or (panels,); sizes in inches."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    made, axes = pyplot.subplots(1, panels, figsize=(width, height), layout='constrained')
    try:
        yield made, axes
    finally:
        pyplot.close(made)


def value_against_operations(report: Evaluation, path: Path) -> None:
    """Draw an evaluation's mean safe flight or score over the operations it took."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with figure() as (made, axes):
        evaluation(axes, report)
        made.savefig(path, dpi=150)


def value_label(report: Evaluation) -> str:
    """Return what an evaluation measures."""
    return 'mean safe flight' if isinstance(report, DroneEvaluation) else 'score'


def evaluation(axes: 'Axes', report: Evaluation) -> None:
    """Draw how good each point is over its operations, with baseline, controls and the paper."""
    if isinstance(report, DroneEvaluation):
        paper, ylabel = PAPER, f'mean safe flight [m], cap {report.cap_m:g} m'
    else:
        paper, ylabel = PAPER_ATARI, f'score in {plain(report.game)}'
    points: list[EvaluationRow] = sorted(report.points, key=lambda row: row.macs_ratio)
    _errors(axes, points, 'o-', LINES[0], 'early exits, 95 %')
    named = _named(points, 'black')
    controls: Sequence[EvaluationRow] = report.controls
    if controls:
        _errors(axes, controls, 's', LINES[1], 'controls, 95 %')
        named += _named(controls, '#8a5f00')
    baseline = report.baseline
    if baseline:
        axes.axhspan(*baseline.value_ci95, color='#999999', alpha=0.25, lw=0)
        axes.axhline(baseline.value, color='#555555', ls='--', label='DQN without branches, 95 %')
    reference = baseline or next((row for row in points if row.name == 'full'), None)
    if reference:
        of = 'its own baseline' if baseline else 'its baseline, here of the full path'
        axes.plot(
            paper[0],
            paper[1] * reference.value,
            '*',
            color=LINES[3],
            ms=14,
            label=f'RAPID-RL: {paper[1]:g}x of {of} at {paper[0]:g}x',
        )
    _operations(axes, [row.macs_ratio for row in (*points, *controls)])
    axes.set_ylabel(ylabel)
    if all(row.value >= 0 for row in (*points, *controls)):
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc='best', fontsize=8)
    drawn = [[(row.macs_ratio, row.value) for row in points]]
    if baseline:
        drawn.append([(side, baseline.value) for side in axes.get_xlim()])
    if reference:
        drawn.append([(paper[0] * side, paper[1] * reference.value) for side in (0.96, 1.04)])
    name_points(axes, named, drawn)


class Kept(NamedTuple):
    """What one way of training exits keeps of the plain network's score."""

    name: str
    macs_ratio: float
    score: Summary


def modes(axes: 'Axes', rows: Sequence[Kept]) -> None:
    """Draw the share of the plain network's score that each way of training exits keeps."""
    for index, row in enumerate(rows):
        middle, (low, high) = row.score.interquartile_mean, row.score.ci95
        axes.errorbar(
            [row.macs_ratio],
            [middle],
            [[max(middle - low, 0.0)], [max(high - middle, 0.0)]],
            fmt=MARKERS[index % len(MARKERS)],
            color=LINES[index % len(LINES)],
            capsize=3,
            label=f'{plain(row.name)}, 95 %',
        )
    axes.axhline(1.0, color='#555555', ls='--', label='the plain network')
    at, keeps = PAPER_ATARI
    axes.plot(at, keeps, '*', color='black', ms=14, label=f'RAPID-RL: {keeps:g}x at {at:g}x')
    _operations(axes, [row.macs_ratio for row in rows])
    axes.set_ylabel("share of the plain network's score")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc='best', fontsize=8)


def exit_shares(axes: 'Axes', shares: Mapping[str, Sequence[float]], title: str) -> None:
    """Draw stacked bars of the share of the decisions that each exit took, (L,) by name."""
    names = [plain(name) for name in shares]
    levels = max(len(row) for row in shares.values())
    left = [0.0] * len(names)
    for level in range(levels):
        part = [100 * (row[level] if level < len(row) else 0.0) for row in shares.values()]
        color = exit_color(level, levels)
        last = ' (full network)' if level == levels - 1 and levels > 1 else ''
        bars = axes.barh(
            names,
            part,
            left=left,
            color=color,
            edgecolor='white',
            hatch='' if level % 2 == 0 else '//',
            label=f'exit {level}{last}',
        )
        axes.bar_label(
            bars,
            [f'{p:.0f}' if p >= 6 else '' for p in part],
            label_type='center',
            fontsize=8,
            color='white',
            bbox={'fc': '#00000088', 'ec': 'none', 'pad': 1},
        )
        left = [before + p for before, p in zip(left, part, strict=True)]
    axes.set(xlabel='decisions [%]', xlim=(0, 100))
    axes.set_title(plain(title) if title else '')
    axes.invert_yaxis()
    axes.figure.legend(loc='outside lower center', ncols=min(levels, 3), fontsize=8)


def by_scene(axes: 'Axes', rows: Sequence[DroneRow], worlds: Sequence[str]) -> None:
    """Draw the mean distance in each kind of world, a group of bars for each."""
    width = 0.8 / len(rows)
    for index, row in enumerate(rows):
        middle = (index - (len(rows) - 1) / 2) * width
        axes.bar(
            [place + middle for place in range(len(worlds))],
            [row.by_world.get(world, 0.0) for world in worlds],
            width * 0.95,
            color=LINES[index % len(LINES)],
            label=plain(row.name),
        )
    axes.set_xticks(range(len(worlds)), [plain(world) for world in worlds])
    if len(worlds) > _LEVEL_NAMES:
        axes.tick_params('x', rotation=90)
    axes.set(ylabel='mean safe flight [m]')
    axes.grid(axis='y', alpha=0.3)
    axes.figure.legend(loc='outside lower center', ncols=min(len(rows), 4), fontsize=8)


def latency(axes: 'Axes', times: ThreadTimes, title: str) -> None:
    """Draw the time of a decision by exit: median, and 99th percentile as a whisker."""
    exits = times.exits
    axes.bar(
        [f'exit {row.level}\n{row.macs_ratio:.2f}x op.' for row in exits],
        [row.ms_p50 for row in exits],
        yerr=[[0.0] * len(exits), [max(row.ms_p99 - row.ms_p50, 0.0) for row in exits]],
        color=[exit_color(level, len(exits)) for level in range(len(exits))],
        capsize=4,
        label='median, 99th percentile',
    )
    for spent, name, style in (
        (times.plain_ms, 'network without branches', '--'),
        (times.eager_full_ms, 'full path in eager PyTorch', ':'),
    ):
        axes.axhline(spent, color='#555555', ls=style, label=name)
    axes.set(ylabel='time of a decision [ms]', title=plain(title))
    axes.legend(fontsize=8)
    axes.grid(axis='y', alpha=0.3)


def learning(
    axes: 'Axes',
    logs: Mapping[str, Sequence[Mapping[str, float]]],
    keys: Sequence[str],
    ylabel: str,
) -> None:
    """Draw figures over the environment steps: a colour for each log, a dash for each figure."""
    for index, (name, rows) in enumerate(logs.items()):
        for dash, key in enumerate(keys):
            seen = [(row['step'], row[key]) for row in rows if key in row]
            if not seen:
                continue
            words = [plain(name)] * (len(logs) > 1) + [plain(key)] * (len(keys) > 1)
            color = LINES[(index if len(logs) > 1 else dash) % len(LINES)]
            axes.plot(
                *zip(*seen, strict=True),
                color=color,
                ls=STYLES[dash % len(STYLES)],
                lw=1.3,
                label=', '.join(words) or None,
            )
    axes.set(xlabel='environment steps', ylabel=plain(ylabel))
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7)


def times(axes: 'Axes', bars: Mapping[str, float], xlabel: str) -> None:
    """Draw one bar for each figure."""
    names = [plain(name) for name in bars]
    drawn = axes.barh(names, list(bars.values()), color=LINES[0])
    axes.bar_label(drawn, fmt=' %.3g', fontsize=8)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set(xlabel=xlabel)


def plain(text: object, longest: int = 60) -> str:
    """Return a text as a picture can hold it: no formulae, no control characters, no novel."""
    words = ''.join(char if char.isprintable() else ' ' for char in str(text))[:longest]
    return words.replace('$', r'\$').lstrip('_') or '-'


def _operations(axes: 'Axes', spent: Sequence[float]) -> None:
    """Make the abscissa that of shares of the operations, up to all of them."""
    axes.set(xscale='log', xlabel="operations, share of the full network's")
    ticks = [t for t in _TICKS if t >= min(spent) / 2] or [1.0]
    axes.set_xticks(ticks, [f'{t:g}x' for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(ticks[0] * 0.8, max(1.4, 1.4 * max(spent)))


def _errors(
    axes: 'Axes', rows: Sequence[EvaluationRow], style: str, color: str, label: str
) -> None:
    axes.errorbar(
        [row.macs_ratio for row in rows],
        [row.value for row in rows],
        [
            [max(row.value - row.value_ci95[0], 0.0) for row in rows],
            [max(row.value_ci95[1] - row.value, 0.0) for row in rows],
        ],
        fmt=style,
        color=color,
        capsize=3,
        label=label,
    )


def _named(rows: Sequence[EvaluationRow], color: str) -> list[Point]:
    """Return the points that have a name of their own."""
    return [
        Point(plain(row.name), row.macs_ratio, row.value, *row.value_ci95, color)
        for row in rows
        if not row.name.startswith(_SWEPT)
    ]
