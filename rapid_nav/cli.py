"""The command line, the same after colcon and after pip: rapid-nav fly, sim, train drone, ..."""

import dataclasses
import importlib
import sys
from typing import Annotated, Any, get_type_hints

import tyro

# What is typed: the module whose main(config) does it, imported only then, and what it does.
COMMANDS = {
    ('fly',): ('rapid_nav.fly', 'Fly through a simulated world, all in one.'),
    ('sim',): ('rapid_nav.sim.main', "Run the simulator behind AirSim's RPC."),
    ('train', 'drone'): ('rapid_nav.offline.train_drone', 'Train a network to fly.'),
    ('evaluate', 'drone'): (
        'rapid_nav.offline.evaluate_drone', 'Measure a policy in worlds it has not seen.'),
    ('report',): (
        'rapid_nav.offline.report', 'Turn reports into one page of figures and pictures.'),
    ('calibrate', 'drone'): (
        'rapid_nav.offline.calibrate_drone', 'Choose thresholds with a guarantee.'),
    ('export',): ('rapid_nav.offline.export', 'Write a policy that needs no PyTorch.'),
    ('compare', 'minatar'): (
        'rapid_nav.offline.compare', 'Compare ways of training exits on small games.'),
    ('bench', 'simulator'): (
        'rapid_nav.offline.bench_simulator', 'Time camera and physics, beside Embree.'),
    ('bench', 'latency'): (
        'rapid_nav.bench_latency', 'Time a frame over ROS 2 and over RPC.'),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for length in (1, 2):
        words = tuple(arguments[:length])
        if words in COMMANDS:
            return run(' '.join(words), COMMANDS[words][0], arguments[length:])
    asked = set(arguments) & {'-h', '--help'} or not arguments
    print(usage() if asked else f'No such command: {" ".join(arguments)}\n{usage()}',
          file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def usage() -> str:
    """Return what there is to type."""
    width = max(len(' '.join(words)) for words in COMMANDS)
    lines = [f'  {" ".join(words):{width}}  {about}' for words, (_, about) in COMMANDS.items()]
    return '\n'.join(['usage: rapid-nav COMMAND [--help] [flags]', '', *lines])


def run(words: str, module: str, arguments: list[str]) -> int:
    """Parse the flags of a command and call it; what the user can mend is one line, no trace."""
    try:
        command = importlib.import_module(module).main
        config_class = get_type_hints(command)['config']
        describe(config_class)
        config = tyro.cli(config_class, prog=f'rapid-nav {words}', args=arguments)
        result = command(config)
    except ModuleNotFoundError as error:
        return complain(words, f'{error.name} is not installed, and this command needs it')
    except (ValueError, OSError) as error:
        return complain(words, str(error))
    except KeyboardInterrupt:
        return 130
    return result if isinstance(result, int) else 0


def complain(words: str, why: str) -> int:
    """Say why a command cannot be done; return its exit status."""
    print(f'rapid-nav {words}: {why}', file=sys.stderr)
    return 2


def describe(config_class: type[Any]) -> None:
    """Make the flags' help from the settings' own: meaning, unit, range and choices."""
    hints = get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        if dataclasses.is_dataclass(hints[field.name]):
            describe(hints[field.name])
        elif 'help' in field.metadata:
            kind = hints[field.name]
            if field.metadata['positional']:
                kind = tyro.conf.Positional[kind]
            about = tyro.conf.arg(help=help_of(field.metadata))
            config_class.__annotations__[field.name] = Annotated[kind, about]


def help_of(about: Any) -> str:
    """Return a setting's meaning, unit, range and choices in one line."""
    words = [about['help']]
    if about['unit']:
        words.append(f'[{about["unit"]}]')
    if about['choices']:
        words.append(f'{{{",".join(map(str, about["choices"]))}}}')
    elif about['low'] is not None or about['high'] is not None:
        low, high = ('' if bound is None else f'{bound:g}'
                     for bound in (about['low'], about['high']))
        words.append(f'{{{low}..{high}}}')
    return ' '.join(words)


if __name__ == '__main__':
    sys.exit(main())
