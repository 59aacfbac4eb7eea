"""One colour for each exit, the same in markers, viewer and pictures."""

Color = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""

# From the first exit to the full network. Told apart by colour-blind eyes and, by their
# lightness, in grey print.
BLUE, ORANGE, CRIMSON = (0.0, 0.447, 0.698), (0.902, 0.624, 0.0), (0.647, 0.11, 0.188)
_ANCHORS = (BLUE, ORANGE, CRIMSON)


def exit_color(level: int, num_levels: int) -> Color:
    """Return the colour of an exit, counted from 0, of a network with `num_levels` exits."""
    if num_levels < 2:
        return CRIMSON
    place = min(max(level / (num_levels - 1), 0.0), 1.0) * (len(_ANCHORS) - 1)
    index = min(int(place), len(_ANCHORS) - 2)
    share = place - index
    red, green, blue = (
        (1.0 - share) * low + share * high
        for low, high in zip(_ANCHORS[index], _ANCHORS[index + 1], strict=True)
    )
    return red, green, blue
