"""Pictures of reports."""

from pathlib import Path
from typing import Any

PAPER = (0.25, 0.91)
"""RAPID-RL's drone: share of the operations, share of the distance (arXiv 2109.08231)."""


def distance_against_operations(report: dict[str, Any], path: Path) -> None:
    """Draw an evaluation's mean safe flight over the operations it took, with intervals."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout='constrained')
    points = sorted(report['points'], key=lambda row: row['macs_ratio'])
    _draw(axes, points, 'o-', '#0072B2', 'early exits')
    for row in points:
        if not row['name'].startswith('threshold'):
            axes.annotate(row['name'], (row['macs_ratio'], row['msf_m']), xytext=(4, 8),
                          textcoords='offset points', fontsize=9)
    if report.get('controls'):
        _draw(axes, report['controls'], 's', '#E69F00', 'controls')
        for row in report['controls']:
            axes.annotate(row['name'], (row['macs_ratio'], row['msf_m']), xytext=(4, -12),
                          textcoords='offset points', fontsize=8, color='#8a5f00')
    if 'baseline' in report:
        low, high = report['baseline']['msf_ci95']
        axes.axhspan(low, high, color='#999999', alpha=0.25, lw=0)
        axes.axhline(report['baseline']['msf_m'], color='#555555', ls='--',
                     label='DQN without branches, 95 %')
        axes.plot(PAPER[0], PAPER[1] * report['baseline']['msf_m'], '*', color='#D55E00',
                  ms=13, label="RAPID-RL's drone (its share of its own baseline)")
    axes.set(xscale='log', xlabel="operations, share of the full network's",
             ylabel=f'mean safe flight [m], cap {report["cap_m"]:g} m')
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, which='both')
    axes.legend(loc='lower right', fontsize=8)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _draw(axes: Any, rows: list[dict[str, Any]], style: str, color: str, label: str) -> None:
    middle = [row['msf_m'] for row in rows]
    spread = [[row['msf_m'] - row['msf_ci95'][0] for row in rows],
              [row['msf_ci95'][1] - row['msf_m'] for row in rows]]
    axes.errorbar([row['macs_ratio'] for row in rows], middle, spread, fmt=style, color=color,
                  capsize=3, label=label)
