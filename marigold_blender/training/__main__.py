# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m marigold_blender.training STAGE …`: the same as `marigold train STAGE …`."""

import argparse
import sys

from .command import add_arguments, run

parser = argparse.ArgumentParser(prog="python -m marigold_blender.training")
add_arguments(parser)
sys.exit(run(parser.parse_args()))
