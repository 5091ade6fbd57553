# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m marigold_blender.training STAGE …`: the same as `marigold train STAGE …`, and `… evaluate`."""

import argparse
import sys

from ..errors import MarigoldError
from . import command, evaluate_command


def main() -> int:
    evaluates = sys.argv[1:2] == ["evaluate"]
    part = evaluate_command if evaluates else command
    parser = argparse.ArgumentParser(prog="python -m marigold_blender.training" + " evaluate" * evaluates)
    part.add_arguments(parser)
    try:
        return part.run(parser.parse_args(sys.argv[2:] if evaluates else None))
    except MarigoldError as error:
        print(error.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
