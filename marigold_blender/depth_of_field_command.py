# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold dof PHOTO --output FILE`: depth of field from a depth file or an estimate. Called by `cli`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .clip_paths import is_clip
from .errors import MarigoldError
from .lens_arguments import (
    focus_of,
    fog_of,
    lens_of,
    mattes_of,
    refuse_mattes_of_clip,
)
from .progress_line import ProgressLine
from .settings_arguments import settings_of


def run(options: argparse.Namespace) -> int:
    """Focus the photo or the clip and print where it is."""
    lens, keys, fog, mattes = lens_of(options), focus_of(options), fog_of(options), mattes_of(options)
    for settings in (lens, fog, mattes):
        settings.check()
    from .worker.server.clip_focus_job import ClipFocusRequest, run_clip_focus
    from .worker.server.depth_of_field_job import DepthOfFieldRequest, run_depth_of_field
    from .worker.server.progress import SHARES, Progress

    line = ProgressLine(options.photo)
    estimate = settings_of(options)
    result: Any
    try:
        if is_clip(Path(options.photo)):
            refuse_mattes_of_clip(mattes)
            asked = ClipFocusRequest(options.photo, options.output, lens, keys.keys, options.depth, estimate, fog)
            shares = SHARES["focus_clip" if options.depth else "estimate_focus_clip"]
            result = run_clip_focus(asked, Progress(line.show, shares), lambda: False)
        elif keys.moves:
            raise MarigoldError(
                "bad_input", f"{options.photo} is one picture, whose focus cannot move: give one focus."
            )
        else:
            shares = SHARES["depth_of_field" if options.depth else "estimate_depth_of_field"]
            request = DepthOfFieldRequest(
                options.photo, options.output, lens, options.depth, estimate, fog=fog, mattes=mattes
            )
            result = run_depth_of_field(request, Progress(line.show, shares), lambda: False)
    finally:
        line.end()
    said = result.to_json()
    print(
        json.dumps({"ok": True, **said}, ensure_ascii=False)
        if options.json
        else said.get("picture", said.get("pattern"))
    )
    return 0
