"""What every part's acceptance run shares: named steps whose results are kept, so that a killed run goes on.

`make acceptance PART=n` runs `tests/acceptance/part_n.py`; the result is `docs/measured/part_n.json`.
"""

import json
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marigold_blender.estimation.checkpoint_files import read_defaults
from marigold_blender.models.find import find_model

ROOT = Path(__file__).resolve().parents[2]


def demo_revision() -> str:
    """The demo checkpoint's revision, short: what was measured of another one is measured anew."""
    return read_defaults(find_model("demo")).revision.removeprefix("sha256:")[:12]


class Acceptance:
    """The steps of one part: a step that has a result is not run again until `make clean`.

    Args:
        of: what is measured, where it may change: results are kept for each apart.
    """

    def __init__(self, part: int, of: str = "") -> None:
        self.name = f"part_{part}"
        self._folder = ROOT / "build" / "acceptance" / self.name / of
        self._folder.mkdir(parents=True, exist_ok=True)
        self.results: dict[str, Any] = {}

    def step(self, name: str, measure: Callable[[], Any]) -> Any:
        """The result of `measure` (JSON values), from the last run if it got that far."""
        kept = self._folder / f"{name}.json"
        if not kept.is_file():
            started = time.monotonic()
            result = measure()
            print(f"{self.name} {name}: {time.monotonic() - started:.0f} s", flush=True)
            beside = kept.with_suffix(".part")
            beside.write_text(json.dumps(result))
            beside.replace(kept)
        self.results[name] = json.loads(kept.read_text())
        return self.results[name]

    def finish(self) -> None:
        """Write what was measured, and on what."""
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
        measured = {
            "command": f"make acceptance PART={self.name.removeprefix('part_')}",
            "commit": commit.stdout.strip(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": platform.platform(),
            **self.results,
        }
        target = ROOT / "docs" / "measured" / f"{self.name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(measured, indent=1) + "\n")
        print(target)
