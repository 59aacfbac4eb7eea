"""Lists of worlds as they are typed: `rooms,cells:fill=20,cell=0.25,maps/depot.yaml`."""

import re


def split_names(text: str) -> list[str]:
    """Return the worlds that a list names; the commas between parameters separate no worlds."""
    return [name for name in re.split(r',(?![a-z_]+=)', text) if name]
