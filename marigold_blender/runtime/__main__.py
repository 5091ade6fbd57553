# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m marigold_blender.runtime`: installs the runtime with nothing but a Python. See `command`."""

from __future__ import annotations

import sys

from .command import main

sys.exit(main())
