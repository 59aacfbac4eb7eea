"""Worlds by name: `pillars`, or with parameters `cells:fill=20,smooth=3,cell=0.25`."""

from collections.abc import Callable
import dataclasses
from typing import Any

from rapid_nav.sim.worlds.cells import cells, CellsConfig
from rapid_nav.sim.worlds.corridor import corridor
from rapid_nav.sim.worlds.forest import forest
from rapid_nav.sim.worlds.pillars import pillars
from rapid_nav.sim.worlds.plan import Plan
from rapid_nav.sim.worlds.poisson import poisson, PoissonConfig
from rapid_nav.sim.worlds.rooms import rooms
from rapid_nav.sim.worlds.spheres import spheres, SpheresConfig

GENERATORS: dict[str, Callable[[Plan], None]] = {
    'corridor': corridor,
    'rooms': rooms,
    'pillars': pillars,
    'forest': forest,
}
"""Generators without parameters, in which the shipped policies were trained."""

PARAMETRIC: dict[str, tuple[type[Any], Callable[[Plan, Any], None]]] = {
    'cells': (CellsConfig, cells),
    'poisson': (PoissonConfig, poisson),
    'spheres': (SpheresConfig, spheres),
}
"""Generators whose names may carry parameters."""


def is_generated(name: str) -> bool:
    """Return whether a generator, with or without parameters, makes this world."""
    return name.partition(':')[0] in {**GENERATORS, **PARAMETRIC}


def generate(name: str, seed: int) -> Plan:
    """Draw up the world of a name that `is_generated`; ValueError names a wrong parameter."""
    stem, colon, text = name.partition(':')
    if stem in GENERATORS:
        if colon:
            raise ValueError(f'world {name!r}: {stem} takes no parameters')
        plan = Plan(stem, seed)
        GENERATORS[stem](plan)
        return plan
    config_class, draw = PARAMETRIC[stem]
    config = parse(name, config_class, text)
    # Equal parameters give equal worlds, in whatever order and form they are written.
    values = dataclasses.asdict(config)
    plan = Plan(f'{stem}:{",".join(f"{key}={values[key]:g}" for key in sorted(values))}', seed)
    draw(plan, config)
    return plan


def parse(name: str, config_class: type[Any], text: str) -> Any:
    """Return the parameters that a world's name gives, as its generator's settings."""
    fields: dict[str, Any] = {field.name: field for field in dataclasses.fields(config_class)}
    values: dict[str, float] = {}
    for part in filter(None, text.split(',')):
        key, _, value = part.partition('=')
        if key not in fields:
            raise ValueError(
                f'world {name!r} has no parameter {key!r}; choose from {", ".join(fields)}'
            )
        try:
            values[key] = type(fields[key].default)(value)
        except ValueError:
            kind = 'a whole number' if isinstance(fields[key].default, int) else 'a number'
            raise ValueError(f'world {name!r}: {key} is {value!r}; write {kind}') from None
    try:
        return config_class(**values)
    except ValueError as error:
        raise ValueError(f'world {name!r}: {error}') from None
