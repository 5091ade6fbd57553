# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that a rendering process runs: `python render_process.py PARENT PLAN.json`, or
`blender -b --python render_process.py -- PARENT PLAN.json`. Blender runs files, not packages, so it finds the package
first. PARENT is the id of the process that started it, with which it dies.
"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path = [str(here.parents[1]), *(path for path in sys.path if path != str(here))]  # this folder shadows nothing
    import_module("marigold_blender.parent_death").die_with(int(sys.argv[-2]))
    sys.exit(import_module("marigold_blender.training.make_scenes").make_scenes(sys.argv[-1]))
