"""The `syncd` command: which commands there are, and what every outcome becomes in words and exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from syncd import __version__
from syncd.cli import exits
from syncd.cli.console import put
from syncd.cli.interrupts import Hangups, Interrupted, Stoppable
from syncd.cli.options import Globals, LazyGroup, globals_of
from syncd.cli.streams import OutputLost, ReaderGone
from syncd.cli.tasks import by_task
from syncd.errors import SyncdError, UsageError
from syncd.redact import clip
from syncd.report import jsondoc

COMMANDS = {
    "init": "Set up a connection by asking, or write a starter.",
    "check": "Test the connection on both sides; changes nothing.",
    "plan": "Show what would change and why; changes nothing.",
    "show": "Show a saved plan (from syncd plan -o FILE) without applying it.",
    "apply": "Apply a saved plan exactly, or plan, ask and apply.",
    "sync": "Plan, check the limits, apply: once.",
    "hook": "Say what to enter in Okta for event hooks; test the listener.",
    "undo": "Give back what one run changed at the target.",
    "drift": "Find what was changed at the target behind syncd's back.",
    "run": "Provision continuously: the daemon, for every connection given.",
    "status": "Show runs, held changes and failing objects.",
    "report": "Write the audit report: who has access, since when, why.",
    "skipped": "List who and what is left out, why, and what settles it.",
    "held": "Show what safety checks hold, with numbers and reasons.",
    "approve": "Release held changes: exactly those, once.",
    "reject": "Drop held changes until the world moves.",
    "expect": "Raise one limit for a window ahead.",
    "pause": "Write nothing until syncd resume, or a time.",
    "resume": "End a pause: what Okta wants is written again.",
    "retry": "Try what failed again at the next sync.",
    "explain": "Explain one user or group, step by step; changes nothing.",
    "groups": "List Split's groups with their link state and members.",
    "link": "Tie an Okta group to a group in Split, or a person to an account.",
    "unlink": "Stop managing a group, kept in Split or deleted; or forget a person's tie.",
    "relink": "Match everybody afresh after SCIM was switched off and on.",
    "release": "Stop managing a user or group; leave it at the target.",
    "audit": "Check or export the audit trail.",
    "backup": "Copy the store into a file, also while the daemon runs.",
    "restore": "Put a backup in the place of the store.",
    "store": "Move a connection's store into a fleet, or back into a file.",
    "doctor": "Gather what support needs to know, without secrets.",
    "schema": "Print the JSON Schema of a document, or of the settings.",
    "worker": "Serve connections of a fleet, beside other workers.",
    "fleet": "Manage several machines that serve the same connections.",
    "simulate": "Serve a simulated Okta org or Split organisation.",
    "demo": "Tell the whole story against both simulators.",
    "completion": "Print the completion script for bash, zsh or fish.",
}

_SERVICES = ("run", "worker", "simulate")
"""Commands without an end of their own."""
_RELOADING = ("run", "worker")
"""To these SIGHUP says that the settings are others."""

_HELP = """Provision the people and groups of an Okta app into Split (Harness FME) by SCIM.

A new connection: syncd init (it asks), syncd check, syncd plan, syncd sync.
"""
_EPILOG = """\b
Exit codes: 0 done or nothing to do, 1 failed, 2 changes found (only with
--detailed-exitcode), 3 refused or held by a safety check, 4 partly applied,
64 usage, 78 configuration, 130 stopped with Ctrl-C or SIGTERM (syncd run: 0).

\b
Completion: add to ~/.bashrc (or ~/.zshrc)   eval "$(syncd completion bash)"
for fish   syncd completion fish > ~/.config/fish/completions/syncd.fish
"""


class _Root(LazyGroup):
    """Called as a program, it is `run`: whoever invokes the command gets its exit codes, not click's."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in self.lazy:
            said = globals_of(ctx)
            said.command = args[0]
            said.on_command()
        return super().resolve_command(ctx, args)

    def format_commands_of(self, formatter: click.HelpFormatter) -> None:
        """By task: who looks for a command knows what they want to do."""
        widest = max(map(len, self.lazy))
        for task, names in by_task(self.lazy):
            with formatter.section(task):
                formatter.write_dl([(name.ljust(widest), self.lazy[name]) for name in names])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002  (click's signature)
        **extra: Any,
    ) -> Any:
        if standalone_mode:
            sys.exit(run(sys.argv[1:] if args is None else args))
        return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)


cli = _Root(
    name="syncd",
    lazy=COMMANDS,
    help=_HELP,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, prog_name="syncd", message="%(prog)s %(version)s")(cli)


def run(arguments: Sequence[str], noted: Sequence[int] | None = None, hangup: Any = None) -> int:
    """Runs one command line; returns the exit code. Never raises for what a command raises.

    `noted` has the signals that came before, if somebody noted them until now; `hangup` is the handler that SIGHUP had
    before that.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name must not fail where the locale is narrow
    signals = Stoppable(noted)
    hangups = Hangups(noted, hangup)

    def on_command() -> None:
        if said.command not in _RELOADING:
            hangups.let_go()
        signals.release()

    said = Globals(on_command=on_command, hung_up=hangups.came)
    try:
        with signals:
            code: Any = cli.main(list(arguments), prog_name="syncd", standalone_mode=False, obj=said)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(said, arguments)
    except click.UsageError as error:
        return _usage(said, error, arguments)
    except click.ClickException as error:
        return _failed(said, SyncdError(error.format_message()), arguments)
    except SyncdError as error:
        if signals.stopped and not isinstance(
            error, Interrupted
        ):  # what ended first, in what was being closed
            return _interrupted(said, arguments)
        return _failed(said, error, arguments)
    except ReaderGone:
        return exits.DONE  # somebody has read enough of the help
    except Exception as error:  # noqa: BLE001  (the last one who can turn it into a sentence)
        if signals.stopped:  # compiled libraries turn the interrupt into errors of their own
            return _interrupted(said, arguments)
        return _unexpected(said, error, arguments)
    return code if isinstance(code, int) else exits.DONE


def _wants_json(arguments: Sequence[str]) -> bool:
    own = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    return "--json" in own


def _failed(said: Globals, error: SyncdError, arguments: Sequence[str], code: int | None = None) -> int:
    """Says the error (and with -vv where it came from) and answers for it; `code` None: the error's own."""
    from syncd.cli.session import Session  # noqa: PLC0415  (only when something went wrong)

    code = error.exit_code if code is None else code
    with Session(said) as session:
        session.fail(error, code=code)
        if said.verbose > 1 and error.__traceback__ is None and code not in (exits.USAGE, exits.INTERRUPTED):
            put(sys.stderr, said.redactor.raised(traceback.format_exc()))
    if _wants_json(arguments) and not isinstance(error, OutputLost):
        message, hint = said.redactor.text(error.message), said.redactor.text(error.hint)
        try:
            put(sys.stdout, jsondoc.dumps(jsondoc.error_document(message, hint, code)))
        except OutputLost as lost:
            return exits.worst([code, _failed(said, lost, arguments)])
    return code


def _usage(said: Globals, error: click.UsageError, arguments: Sequence[str]) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        put(sys.stderr, error.format_message() + "\n")
        return exits.USAGE
    where = error.ctx.command_path if error.ctx else "syncd"
    message, hint = " ".join(error.format_message().split()), f"See: {where} --help"
    if isinstance(error, click.NoSuchOption) and where == "syncd":
        message = f"No such option {error.option_name!r} before the command."
        hint = f"Options of a command stand after its name. {hint}"
    return _failed(said, UsageError(message, hint=hint), arguments)


def _interrupted(said: Globals, arguments: Sequence[str]) -> int:
    if said.command in _SERVICES:
        return exits.DONE  # it ends when it is told to, also before it has begun
    text = "stopped before it was done; nothing is lost, the next run settles what was under way"
    return _failed(said, SyncdError(text), arguments, exits.INTERRUPTED)


def _unexpected(said: Globals, error: Exception, arguments: Sequence[str]) -> int:
    name = type(error).__name__
    problem = SyncdError(
        f"something unexpected went wrong: {name}: {clip(said.redactor.raised(str(error)), 300)}",
        hint="This is a fault of syncd. Run it again with -vv and report the traceback."
        if said.verbose < 2
        else "This is a fault of syncd. Report the traceback.",
    )
    return _failed(said, problem, arguments)
