# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --command marigold dof PHOTO|CLIP`: as `marigold dof`, by the worker that Blender would start.

Called by `command`.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from ..marigold_blender.clip_paths import is_clip
from ..marigold_blender.errors import MarigoldError
from ..marigold_blender.lens_arguments import (
    focus_of,
    fog_of,
    lens_of,
    mattes_of,
    refuse_mattes_of_clip,
)
from ..marigold_blender.settings_arguments import settings_of
from . import session
from .task import wait_printing


def run(options: argparse.Namespace) -> int:
    """Focus the photo and print where it is; the exit code."""
    output = Path(options.output).absolute()
    photo = Path(options.photo).absolute()
    try:
        payload = {
            "depth": str(Path(options.depth).absolute()) if options.depth else "",
            "output": str(output),
            "lens": lens_of(options).to_json(),
            "fog": fog_of(options).to_json(),
            "settings": settings_of(options).to_json(),
        }
        mattes = mattes_of(options)
        if is_clip(photo):
            refuse_mattes_of_clip(mattes)
            task = "focus_clip" if options.depth else "estimate_focus_clip"
            payload |= {"clip": str(photo), "keys": focus_of(options).keys}
        else:
            task = "depth_of_field" if options.depth else "estimate_depth_of_field"
            mattes = replace(mattes, file=str(Path(mattes.file).absolute()) if mattes.file else "")
            payload |= {"photo": str(photo), "mattes": mattes.to_json()}
        job = session.queue.submit(task, payload, session.queue.new_folder())
        wait_printing(job, output.name, session.queue)
        session.queue.discard(job)
    except MarigoldError as error:
        print(error.message, file=sys.stderr)
        return 1
    finally:
        session.queue.stop_worker()
    print(output)
    return 0
