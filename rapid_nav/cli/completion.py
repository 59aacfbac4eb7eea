"""`rapid-nav completion`: what makes a shell complete commands, flags and choices."""

from collections.abc import Iterator
from dataclasses import dataclass
import importlib
from typing import Any, get_type_hints

from rapid_nav.cli.arguments import flags_for, settings_of
from rapid_nav.options import check, setting

BASH = """\
_rapid_nav() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" flags=''
  case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}} $prev" in
{choices}
  esac
  case "$prev" in
    {switches}) ;;
    --*) COMPREPLY=(); return ;;  # its value may be a file's name, which the shell completes
  esac
  case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{flags}
  esac
  if [ "$COMP_CWORD" = 1 ]; then
    flags='{first}'
  elif [ "$COMP_CWORD" = 2 ]; then
    case "${{COMP_WORDS[1]}}" in
{second}
    esac
  fi
  COMPREPLY=($(compgen -W "$flags" -- "$cur"))
}}
complete -o default -F _rapid_nav rapid-nav
"""
ZSH = 'autoload -U +X bashcompinit && bashcompinit\n'


SWITCH: list[str] = []
"""The values of a flag that takes none."""


@dataclass(frozen=True)
class CompletionConfig:
    """What `rapid-nav completion` takes."""

    shell: str = setting(
        'bash', 'Shell to print the script for.', choices=('bash', 'zsh'), positional=True
    )

    def __post_init__(self) -> None:
        check(self)


def main(config: CompletionConfig) -> int:
    """Print the script."""
    print((ZSH if config.shell == 'zsh' else '') + script(), end='')
    return 0


def script() -> str:
    """Return the script, with the flags of every command that can be used here."""
    from rapid_nav.cli.main import COMMANDS

    flags, choices = [], []
    switches = {'--help'}
    second: dict[str, list[str]] = {}
    for words, (module, _) in COMMANDS.items():
        if len(words) == 2:
            second.setdefault(words[0], []).append(words[1])
        pattern = f"'{' '.join(words)}'" if len(words) == 2 else f"'{words[0]} '*"
        given = list(flags_of(module))
        names = ' '.join(
            ['--help', *(word for flag, values in given for word in ([flag] if flag else values))]
        )
        switches |= {flag for flag, values in given if values is SWITCH}
        flags.append(f"    {pattern}) flags='{names}' ;;")
        choices += [
            f"    {pattern}{'*' * (len(words) == 2)}' {flag}') "
            f'COMPREPLY=($(compgen -W "{" ".join(values)}" -- "$cur")); return ;;'
            for flag, values in given
            if flag and values
        ]
    first = dict.fromkeys(words[0] for words in COMMANDS)
    return BASH.format(
        flags='\n'.join(flags),
        choices='\n'.join(choices),
        first=' '.join(first),
        switches='|'.join(sorted(switches)),
        second='\n'.join(
            f"      {word}) flags='{' '.join(rest)}' ;;" for word, rest in second.items()
        ),
    )


def flags_of(module: str) -> Iterator[tuple[str, list[str]]]:
    """Yield a command's flags and the values they can have, if these are few."""
    try:
        command = importlib.import_module(module).main
    except ImportError:
        return  # something that it needs is not installed
    yield from fields_of(get_type_hints(command)['config'])


def fields_of(config_class: type[Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the flags of a settings class; what is positional has none: '' stands for it."""
    for name, field, kind in settings_of(config_class):
        choices = [str(choice) for choice in field.metadata.get('choices') or ()]
        for flag in flags_for(name, kind):
            positional = field.metadata.get('positional')
            yield '' if positional else flag, SWITCH if kind is bool else choices
