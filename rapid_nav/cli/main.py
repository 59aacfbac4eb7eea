"""The command line, the same after colcon and after pip: rapid-nav fly, sim, train drone, ..."""

import difflib
import importlib
import logging
import os
import sys
from typing import get_type_hints

from rapid_nav.cli.arguments import parse
from rapid_nav.options import is_refusal
from rapid_nav.shutdown import interruptible
from rapid_nav.version import VERSION

# What is typed: the module whose main(config) does it, imported only then, and what it does.
COMMANDS = {
    ('fly',): ('rapid_nav.cli.fly', 'Fly through a simulated world, all in one.'),
    ('sim',): ('rapid_nav.sim.main', "Run the simulator behind AirSim's RPC."),
    ('train', 'drone'): ('rapid_nav.cli.train_drone', 'Train a network to fly.'),
    ('train', 'fleet'): ('rapid_nav.cli.train_fleet', 'Train while drones fly, over ROS 2.'),
    ('train', 'atari'): ('rapid_nav.cli.train_atari', 'Train a network to play an Atari game.'),
    ('evaluate', 'drone'): (
        'rapid_nav.cli.evaluate_drone',
        'Measure a policy in worlds it has not seen.',
    ),
    ('evaluate', 'atari'): (
        'rapid_nav.cli.evaluate_atari',
        'Measure a policy in Atari games it has not seen.',
    ),
    ('play', 'atari'): ('rapid_nav.cli.play_atari', 'Play an Atari game into a video.'),
    ('table', 'atari'): (
        'rapid_nav.offline.reporting.atari_table',
        'Turn reports on Atari games into one table.',
    ),
    ('report',): (
        'rapid_nav.offline.reporting.report',
        'Turn reports into one page of figures and pictures.',
    ),
    ('draw',): (
        'rapid_nav.offline.reporting.flight_map',
        'Draw a flight from above, with what the camera saw.',
    ),
    ('calibrate', 'drone'): (
        'rapid_nav.cli.calibrate_drone',
        'Choose thresholds with a guarantee.',
    ),
    ('export',): ('rapid_nav.cli.export', 'Write a policy that needs no PyTorch.'),
    ('compare', 'minatar'): (
        'rapid_nav.offline.experiments.exit_training',
        'Compare ways of training exits on small games.',
    ),
    ('compare', 'settings'): (
        'rapid_nav.offline.experiments.ablation',
        'Compare settings of a learner on small games.',
    ),
    ('bench', 'simulator'): (
        'rapid_nav.benchmarks.simulator',
        'Time camera and physics, beside Embree.',
    ),
    ('bench', 'latency'): (
        'rapid_nav.benchmarks.end_to_end_latency',
        'Time a frame over ROS 2 and over RPC.',
    ),
    ('bench', 'steering'): (
        'rapid_nav.benchmarks.exit_control',
        'Hold budgets in flight, deadlines under load.',
    ),
    ('bench', 'runtimes'): (
        'rapid_nav.benchmarks.runtimes',
        'Time a policy in other inference runtimes.',
    ),
    ('bench', 'training'): (
        'rapid_nav.benchmarks.training_speed',
        'Time learning, beside Stable-Baselines3.',
    ),
    ('completion',): (
        'rapid_nav.cli.completion',
        'Print what makes a shell complete these words.',
    ),
}
# The extra of pyproject.toml that brings a package.
EXTRAS = {
    'onnxruntime': 'fly',
    'numba': 'sim',
    'yaml': 'sim',
    'torch': 'train',
    'gymnasium': 'train',
    'mcap': 'train',
    'mcap_ros2': 'train',
    'ale_py': 'atari',
    'minatar': 'minatar',
    'rerun': 'view',
    'stable_baselines3': 'bench',
}
_VERBOSE = {'-v': logging.INFO, '--verbose': logging.INFO, '-vv': logging.DEBUG}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    arguments = verbosity(list(sys.argv[1:] if arguments is None else arguments))
    for length in (1, 2):
        words = tuple(arguments[:length])
        if words in COMMANDS:
            return run(words, arguments[length:])
    if arguments == ['--version']:
        print(f'rapid-nav {VERSION}')
        return 0
    if set(arguments) & {'-h', '--help'} or not arguments:
        print(usage(arguments))
        return 0
    known = [' '.join(words) for words in COMMANDS]
    near = [name for name in known if name.split()[0] == arguments[0]]
    near = near or difflib.get_close_matches(' '.join(arguments[:2]), known, 2, 0.5)
    remedy = f'did you mean {" or ".join(near)}?' if near else 'see rapid-nav --help'
    print(f'rapid-nav: no such command: {" ".join(arguments[:2])}; {remedy}', file=sys.stderr)
    return 2


def verbosity(arguments: list[str]) -> list[str]:
    """Show logs as -v (what happens) or -vv (all) ask for; return the other arguments."""
    asked = [word for word in arguments if word in _VERBOSE]
    level = _VERBOSE[asked[-1]] if asked else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format='%(levelname)s %(name)s: %(message)s')
    logging.getLogger('rapid_nav').setLevel(level)
    return [word for word in arguments if word not in _VERBOSE]


def usage(arguments: list[str]) -> str:
    """Return what there is to type, of one family of commands if it is named."""
    shown = {words: about for words, (_, about) in COMMANDS.items() if words[0] in arguments}
    shown = shown or {words: about for words, (_, about) in COMMANDS.items()}
    width = max(len(' '.join(words)) for words in shown)
    lines = [f'  {" ".join(words):{width}}  {about}' for words, about in shown.items()]
    return '\n'.join(
        [
            'usage: rapid-nav [-v] COMMAND [--help] [flags]',
            '',
            *lines,
            '',
            '-v shows logs, -vv all of them. For completion in this shell:',
            '  source <(rapid-nav completion bash)',
        ]
    )


def run(words: tuple[str, ...], arguments: list[str]) -> int:
    """Parse the flags of a command and call it; what it refuses is one line, without traceback."""
    module, about = COMMANDS[words]
    name = ' '.join(words)
    try:
        command = importlib.import_module(module).main
        config_class = get_type_hints(command)['config']
        config = parse(name, about, config_class, arguments)
        with interruptible():
            result = command(config)
    except ModuleNotFoundError as error:
        package = str(error.name).split('.')[0]
        extra = EXTRAS.get(package)
        remedy = f"pip install 'rapid_nav[{extra}]'" if extra else ''
        remedy = 'build the package again' if package == 'rapid_nav' else remedy
        return complain(
            name,
            f'{error.name} is not installed, and this command needs it'
            + (f'; {remedy}' if remedy else ''),
        )
    except BrokenPipeError:  # the reader of the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        if not is_refusal(error):
            raise
        return complain(name, str(error))
    except KeyboardInterrupt:
        return 130
    return result if isinstance(result, int) else 0


def complain(words: str, why: str) -> int:
    """Say why a command cannot be done; return its exit status."""
    print(f'rapid-nav {words}: {why}', file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main())
