"""`python3 -m bvit_hw_runtime`: self-test and classification on the board, from the package's folder."""

from __future__ import annotations

import argparse
import sys

from .command import run_command
from .errors import DeviceError
from .package import self_test


def _given(text: str) -> str:
    """A text that is not empty: a shell makes an empty one of a variable that is not set."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is empty; give it a value, or leave it out")
    return text


def _device(text: str) -> str:
    if text in ("auto", "board", "sim") or text.startswith("serial:"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r}; allowed: auto, board, sim, serial: and a port's name")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done; 1: the self-test failed or the device did; 2: wrong arguments."""
    parser = argparse.ArgumentParser(prog="python3 -m bvit_hw_runtime", description="BinaryViT accelerator")
    parser.add_argument("--package", type=_given, default=".", help="folder of the package (default: this one)")
    parser.add_argument(
        "--device", type=_device, metavar="auto|board|sim|serial:PORT", help="default: the board where there is one"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("selftest", help="check files, identity, and the logits of the test images")
    run = commands.add_parser("run", help="classify pictures")
    run.add_argument("--images", type=_given, required=True, help="folder of pictures, one picture, an .npz")
    run.add_argument("--batch", type=int, help="images a transfer")
    run.add_argument("--programme", type=_given, help="another network for a single engine (bvit-hw compile)")
    chosen = parser.parse_args(arguments)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a terminal that has no micro sign still shows the figures
    try:
        if chosen.command == "selftest":
            print(self_test(chosen.package, chosen.device))
        else:
            given = (chosen.package, chosen.device, chosen.images, chosen.batch)
            for line in run_command(*given, programme=chosen.programme).lines():
                print(line)
    except (DeviceError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
