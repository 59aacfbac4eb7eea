"""Names in a picture: each near its point, and none on another or on an error bar."""

from itertools import combinations

from matplotlib.text import Annotation

from rapid_nav.offline.reporting.label_placement import name_points, Point
from rapid_nav.offline.reporting.plots import figure

# As crowded as operating points and controls of one budget are.
CROWD = [
    Point(name, x, y, y - 7, y + 7, 'black')
    for name, x, y in (
        ('economy', 0.066, 68.2),
        ('balanced', 0.141, 68.5),
        ('full', 1.0, 73.4),
        ('random exits', 0.139, 70.2),
        ('q_gap', 0.149, 71.0),
        ('entropy', 0.172, 66.3),
    )
]


def test_no_name_lies_on_another_or_on_an_error_bar() -> None:
    with figure() as (made, axes):
        axes.set(xscale='log', xlim=(0.04, 1.4), ylim=(0, 82))
        name_points(axes, CROWD)
        made.draw_without_rendering()
        names = {
            text.get_text(): text.get_window_extent()
            for text in axes.texts
            if isinstance(text, Annotation) and text.get_text()
        }
        assert names.keys() == {point.name for point in CROWD}
        assert not any(one.overlaps(other) for one, other in combinations(names.values(), 2))
        for point in CROWD:
            x, low = axes.transData.transform((point.x, point.low))
            _, high = axes.transData.transform((point.x, point.high))
            for name, box in names.items():
                assert not (box.x0 < x < box.x1 and box.y0 < high and box.y1 > low), name
