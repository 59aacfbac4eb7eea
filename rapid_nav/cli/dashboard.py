"""Shows a flight while it lasts: a live table on a terminal, a line now and then elsewhere."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rapid_nav.drone.flight_stats import FlightStats, FlightSummary

_LINE_EVERY_S = 5.0


class Dashboard:
    """A context that shows flight statistics; `update` is called several times a second."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.console = Console(highlight=False)
        self.live = Live(console=self.console, refresh_per_second=8, transient=True)
        self.next_line = 0.0

    def __enter__(self) -> 'Dashboard':
        """Begin to show."""
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the screen as it was."""
        if self.console.is_terminal:
            self.live.stop()

    def say(self, name: str, line: str) -> None:
        """Show a line of a process's output, above the table."""
        self.console.print(f'[{name}] {line}', markup=False, soft_wrap=True)

    def update(self, stats: FlightStats) -> None:
        """Show how far it is."""
        if self.console.is_terminal:
            self.live.update(table(self.title, stats))
        elif time.monotonic() >= self.next_line and stats.frames:
            self.next_line = time.monotonic() + _LINE_EVERY_S
            self.console.print(
                ', '.join(f'{name} {value}' for name, value in facts(stats)),
                markup=False,
                soft_wrap=True,
            )


def table(title: str, stats: FlightStats) -> Table:
    """Return the live table."""
    grid = Table(title=title, show_header=False, min_width=56)
    for name, value in facts(stats) or [('', 'taking off')]:
        grid.add_row(name, value)
    return grid


def facts(stats: FlightStats) -> list[tuple[str, str]]:
    """Return what there is to say about the flights so far."""
    if not stats.frames:
        return []
    frame = stats.frames[-1]
    flight, latency = stats.flights[frame.flight], stats.latency_ms()
    return [
        ('flown', f'{stats.duration:.1f} s'),
        ('flight', f'{len(stats.flights)} ({stats.collisions} collisions)'),
        ('distance', f'{flight.distance:.1f} m of {stats.distance:.1f} m'),
        ('clearance', f'{frame.clearance:.1f} m'),
        ('speed', f'{frame.speed:.1f} m/s'),
        ('exits', ' '.join(f'{share:.0%}' for share in stats.exit_shares()) or '-'),
        ('operations', number(stats.macs_ratio(), '.0%')),
        ('latency', f'{number(latency.p50, ".1f")} ms (p99 {number(latency.p99, ".1f")})'),
        ('images', f'{stats.image_rate():.1f} Hz'),
    ]


def number(value: float | None, form: str) -> str:
    """Return a number that may not be there yet."""
    return '-' if value is None else format(value, form)


def summary(flown: FlightSummary) -> str:
    """Return the figures of all flights as a few lines."""
    farthest = max(flown.distance_m, default=0.0)
    lines = [
        f'{flown.flights} flights, {flown.duration_s:.1f} s, '
        f'{sum(flown.distance_m):.1f} m (the longest {farthest:.1f} m), '
        f'{flown.collisions} collisions, {flown.coverage:.2f} new cells a metre',
        f'{flown.decisions} decisions at '
        f"{number(flown.macs_ratio, '.0%')} of the full network's operations, exits "
        + (' '.join(f'{share:.0%}' for share in flown.exit_shares) or '-'),
        f'{flown.image_rate_hz:.1f} images/s, {flown.dropped_images} dropped, latency '
        f'{number(flown.latency_ms.p50, ".1f")} ms (p99 {number(flown.latency_ms.p99, ".1f")} ms)',
    ]
    return '\n'.join(lines)
