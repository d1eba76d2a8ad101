"""The command line: `bvit-hw COMMAND`. Results go to stdout, logs and progress to stderr; a mistake exits with 2."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress

import click

from bvit_hw import __version__
from bvit_hw.cli.printable import make_printable
from bvit_hw.disk import NO_SPACE, UNUSABLE, error_number, reason
from bvit_hw.errors import BvitError
from bvit_hw.interruption import interruptible
from bvit_hw.threads import wait_passively

#: commands by name, imported when called: `doctor` and `--help` must not wait for PyTorch
_COMMANDS = {
    "boards": "bvit_hw.cli.boards:boards_command",
    "build": "bvit_hw.cli.build:build_command",
    "compile": "bvit_hw.cli.compile_:compile_command",
    "completion": "bvit_hw.cli.completion:completion_command",
    "diff": "bvit_hw.cli.diff:diff_command",
    "doctor": "bvit_hw.cli.doctor:doctor_command",
    "evaluate": "bvit_hw.cli.evaluate:evaluate_command",
    "explore": "bvit_hw.cli.explore:explore_command",
    "export": "bvit_hw.cli.export:export_command",
    "freeze": "bvit_hw.cli.freeze:freeze_command",
    "import": "bvit_hw.cli.import_:import_command",
    "deploy": "bvit_hw.cli.deploy:deploy_command",
    "init": "bvit_hw.cli.init:init_command",
    "models": "bvit_hw.cli.models:models_command",
    "run": "bvit_hw.cli.run:run_command",
    "simulate": "bvit_hw.cli.simulate:simulate_command",
    "train": "bvit_hw.cli.train:train_command",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bvit-hw")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug messages.")
@click.option("-v", "--verbose", is_flag=True, help="Show what is being done in more detail.")
def cli(debug: bool, verbose: bool) -> None:
    """BinaryViT from a trained checkpoint to an FPGA accelerator, proven step by step."""
    level = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Exit code 0: done; 2: a mistake of the caller's, an unusable environment, or an interruption."""
    make_printable()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Remarks of libraries about themselves: a CUDA toolkit without a GPU (Brevitas looks for one), experimental API,
    # DistributedDataParallel's options, more readers than cores.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    wait_passively()
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Named tensors and all their associated APIs")
    warnings.filterwarnings("ignore", message="This DataLoader will create .* worker processes")
    try:
        with interruptible():
            # A command that ends with a code of its own (click's Exit) has it handed back as the result.
            code = cli.main(args=arguments, prog_name="bvit-hw", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BvitError as error:
        if "--debug" in arguments:
            traceback.print_exc()
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # a closed terminal interrupts, and click cannot tell it
            sys.exit(2)
        # What the disk refuses where no command expected it; any other is a fault of ours, with its traceback.
        if error_number(error) not in NO_SPACE | UNUSABLE or "--debug" in arguments:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        click.echo(f"error: {where}{reason(error)}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        with suppress(OSError):
            click.echo("interrupted: finished steps are kept; the same command goes on from there", err=True)
        sys.exit(2)
    if isinstance(code, int) and code:
        sys.exit(code)
