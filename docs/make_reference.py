"""`python -m docs.make_reference`: the pages of docs/reference from the code.

What a command takes is asked of click, what a record holds is read in the function that makes it.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import click

import command2Label
import download
import query
import tciaclient
import upload
from docs import meanings
from tcia_xnat.container_command import variables as command_variables
from tcia_xnat.core import errors, variables
from tcia_xnat.core.exit_codes import CONTINUES, ExitCode
from tcia_xnat.core.model import State
from tcia_xnat.progress import json_lines
from tcia_xnat.report import document

FOLDER = Path(__file__).parent / "reference"
README = Path(__file__).parents[1] / "README.md"
SCRIPTS: Mapping[str, click.Command] = {
    "download.py": download.download,
    "query.py": query.query,
    "upload.py": upload.upload,
    "tciaclient.py": tciaclient.main,
    "command2Label.py": command2Label.main,
}
_MADE = "Made from the code by `python -m docs.make_reference`; do not edit.\n"
_AS_IT_IS = "\b\n"  # click's sign before lines that are not wrapped
_ADDED = {"series_settled": ["study"]}  # by JsonLines.show, which knows the plan
_FIXED = {
    "XNAT_HOST": "address of XNAT",
    "XNAT_USER": "user, or alias of a token",
    "XNAT_PASS": "password, or secret of a token",
    "REQUESTS_CA_BUNDLE, SSL_CERT_FILE": "file of private certificate authorities",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY": "the proxy, and what goes without it",
    "NO_COLOR": "no colours on a terminal",
    "JOB_COMPLETION_INDEX": "which part `--shard auto/N` is, in an Indexed Job of Kubernetes",
    "SLURM_ARRAY_TASK_ID, …_MIN, …_COUNT": "which part `--shard auto` is, in an array of Slurm",
}


def main() -> None:
    """Write the pages, and the table of exit codes in README.md."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    README.write_text(with_exit_table(README.read_text(encoding="utf-8")), encoding="utf-8")


def with_exit_table(readme: str) -> str:
    """Return README.md with the table of exit codes that the code says."""
    return re.sub(r"(\n## Exit codes\n\n)(?:\|.*\n)+", lambda found: found[1] + exit_table(), readme)


def pages() -> dict[str, str]:
    """Return the pages: name of the file → text."""
    contexts = [context for name, command in SCRIPTS.items() for context in contexts_of(name, command)]
    return {
        "commands.md": _page("Commands and options", *map(_command, contexts)),
        "variables.md": _page("Variables", *_variables(contexts)),
        "exit-codes.md": _page("Exit codes", *_exit_codes()),
        "report.md": _page("Fields of the report", *_report()),
        "log-json.md": _page("Events of --log-json", *_events()),
    }


def _page(title: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", _MADE, *parts])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heading = list(head)
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def contexts_of(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Yield the context of a command and of those below it: names and variables depend on it."""
    context = command.context_class(command, info_name=name, parent=parent, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from contexts_of(below, command.commands[below], context)


def _command(context: click.Context) -> str:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    rows = [(f"`{names}`", text) for names, text in _options(context)]
    level = "##" if context.parent is None else "###"
    help_text = inspect.cleandoc(command.help or "").replace(_AS_IT_IS, "")
    ending = f"\n```text\n{command.epilog.removeprefix(_AS_IT_IS)}\n```\n" if command.epilog else ""
    return f"{level} {context.command_path}\n\n`{usage}`\n\n{help_text}\n\n{_table(['option', 'what'], rows)}{ending}"


def _options(context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record and isinstance(parameter, click.Option):
            yield record


def _variables(contexts: Iterable[click.Context]) -> Iterator[str]:
    yield _table(["variable", "what"], ((f"`{names.replace(', ', '`, `')}`", what) for names, what in _FIXED.items()))
    yield (
        "An option on the command line wins over its variable. A variable may be set for other runs: where its option "
        "has no effect, it is not looked at, while the option itself is refused. A name that no option has is told.\n"
    )
    options_of: dict[str, dict[str, None]] = {}
    for context in contexts:
        for variable, option in option_variables(context):
            path = context.command_path if _is_own(context, variable) else f"{context.find_root().info_name} …"
            options_of.setdefault(variable, {})[f"`{path} {option}`"] = None
    yield _table(["variable", "option"], ((f"`{name}`", ", ".join(given)) for name, given in options_of.items()))
    yield from _variables_of_the_xnat_command()


def _variables_of_the_xnat_command() -> Iterator[str]:
    yield "## The XNAT command\n"
    yield "`environment-variables` in command.json sets them. These are its own:\n"
    own = ((f"`{variables.PREFIX}_{name}`", what) for name, what in variables.OF_XNAT_COMMAND.items())
    yield _table(["variable", "what"], [*own, ("`XNAT_WORKFLOW_ID`", "set by XNAT: where progress is shown")])
    heeded = sorted(command_variables.variable_of(str(option.name)) for option in command_variables.OPTIONS)
    yield f"It reads these as `download.py` does: {', '.join(f'`{name}`' for name in heeded)}.\n"
    yield "It refuses the others of `download.py`, with exit code 2:\n"
    refused = ((f"`{command_variables.variable_of(name)}`", hint) for name, hint in command_variables.REFUSED.items())
    yield _table(["variable", "what to do"], refused)


def option_variables(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield variable and option, as click makes the one of the other."""
    prefix = context.auto_envvar_prefix
    for option in context.command.params:
        if not isinstance(option, click.Option) or option.is_eager:
            continue
        if isinstance(option.envvar, str):
            yield option.envvar, option.opts[0]
        elif prefix and option.allow_from_autoenv:
            yield f"{prefix}_{str(option.name).upper()}", option.opts[0]


def _is_own(context: click.Context, variable: str) -> bool:
    """Whether a variable is this command's alone, as its name says."""
    return variable.startswith(f"{context.auto_envvar_prefix}_")


def _exit_codes() -> Iterator[str]:
    yield exit_table()
    yield f"{CONTINUES}\n"
    yield "## Errors\n"
    yield "An error of one series does not end a run: it ends with 3 then, and the report has its name as `kind`.\n"
    yield f"These end it: {', '.join(f'`{kind.__name__}`' for kind in errors.FATAL)}.\n"
    found = [kind for kind in _kinds(errors.Error) if kind is not errors.Stopped]
    rows = (
        (
            str(kind.exit_code),
            f"`{kind.__name__}`",
            (inspect.getdoc(kind) or "").splitlines()[0],
            "yes" if kind.retryable else "no",
        )
        for kind in sorted(found, key=lambda kind: kind.exit_code)
    )
    yield _table(["code", "error", "what", "tried again"], rows)


def exit_table() -> str:
    """Return the table of exit codes, as this page and README.md show it."""
    return _table(["code", "meaning"], ((str(code), code.meaning) for code in ExitCode))


def _kinds(kind: type[errors.Error]) -> Iterator[type[errors.Error]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _kinds(below)


def _report() -> Iterator[str]:
    yield "## report.csv, and `series` in report.json\n"
    yield _table(["column", "what"], _told(document.COLUMNS, meanings.COLUMN))
    yield "## state\n"
    yield _table(["state", "what"], _told((state.value for state in State), meanings.STATE))
    yield "## report.json\n"
    keys = dict.fromkeys([*keys_of(document.document), *keys_of(document.tallies)])
    yield _table(["field", "what"], _told(keys, meanings.DOCUMENT))
    yield "## licences.csv\n"
    yield ", ".join(f"`{name}`" for name in document.LICENCE_COLUMNS) + "\n"


def _told(names: Iterable[str], meaning: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"`{name}`", meaning[name]) for name in names)


def keys_of(function: Callable[..., object]) -> list[str]:
    """Return the keys of the dictionary that a function returns, as its source has them."""
    (defined,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    returned = [node.value for node in ast.walk(defined) if isinstance(node, ast.Return)]
    (shown,) = (value for value in returned if isinstance(value, ast.Dict))
    return [key.value for key in shown.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]


def _events() -> Iterator[str]:
    yield "One object a line. Each has `event` and `ts` (ISO, UTC); a field without a value is left out.\n"
    rows = []
    for shown in ast.parse(inspect.getsource(json_lines)).body:
        if isinstance(shown, ast.FunctionDef) and shown.name == "_":
            name, fields = _event(shown)
            rows.append((f"`{name}`", meanings.EVENT[name], ", ".join(f"`{field}`" for field in fields)))
    yield _table(["event", "when", "fields"], rows)
    yield "`error` has `kind`, `message` and `hint`; `session` is a label, `series` and `study` are UIDs.\n"


def _event(function: ast.FunctionDef) -> tuple[str, list[str]]:
    """Return the name of an event and its fields, as the function that makes its line has them."""
    (shown,) = (node.value for node in ast.walk(function) if isinstance(node, ast.Return))
    if not isinstance(shown, ast.Dict):
        raise TypeError(f"line {function.lineno} of {json_lines.__file__} returns no dictionary as such")
    name, fields = "", []
    for key, value in zip(shown.keys, shown.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == "event":
            name = str(ast.literal_eval(value))
        else:
            fields += [str(ast.literal_eval(key))] if key else keys_of(json_lines._series)  # noqa: SLF001  what `**` puts in
    return name, fields + _ADDED.get(name, [])


if __name__ == "__main__":
    main()
