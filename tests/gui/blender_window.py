"""A real Blender with its window: the built zip installed by Blender's own command, in a user folder of its own.

Used by the window tests, the acceptance runs and the script that makes the README's pictures.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCREENSHOTS = ROOT / "build" / "screenshots"


class BlenderWindow:
    """A real Blender: `BLENDER` names one on a machine with a screen, else a Debian one under Xvfb."""

    def __init__(self, folder: Path, has_runtime: bool = True) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "TMPDIR": str(folder),
            "BLENDER_USER_RESOURCES": str(folder / "user"),
            "MARIGOLD_HOME": str(folder / "home"),
            "MARIGOLD_PYTHON": sys.executable,
            "MARIGOLD_CACHE": str(folder / "cache"),
        }
        self.environment.pop("PYTHONPATH", None)
        if not has_runtime:
            del self.environment["MARIGOLD_PYTHON"]

    def command(self, *arguments: object, timeout_s: float = 120) -> subprocess.CompletedProcess:
        """`blender --command …`, without a window."""
        program = [os.environ["BLENDER"]] if "BLENDER" in os.environ else [HERE / "blender-window", "shell", "blender"]
        return self._run([*program, "--command", *arguments], timeout_s)

    def drive(self, script: str, *arguments: object, timeout_s: float = 300) -> dict:
        """Run a script of steps in the window; its report. Screenshots are kept in build/screenshots."""
        program = [os.environ["BLENDER"]] if "BLENDER" in os.environ else [HERE / "blender-window", "run"]
        out = self.folder / Path(script).stem
        out.mkdir(exist_ok=True)
        done = self._run(
            [*program, "--python-exit-code", "3", "--python", HERE / script, "--", out, *arguments], timeout_s
        )
        (out / "blender.log").write_text(done.stdout + done.stderr)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for picture in out.glob("*.png"):
            shutil.copy(picture, SCREENSHOTS / f"{Path(script).stem}_{picture.name}")
        assert (out / "report.json").is_file(), done.stdout[-3000:] + done.stderr[-3000:]
        report = json.loads((out / "report.json").read_text())
        assert "error" not in report, report["error"]
        return report

    def _run(self, command: list, timeout_s: float) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=ROOT,
            env=self.environment,
            check=False,
        )


def install(window: BlenderWindow) -> BlenderWindow:
    """Build the extension and install it by Blender's own command."""
    if "BLENDER" not in os.environ:
        subprocess.run([HERE / "blender-window", "setup"], check=True, timeout=900)
    built = subprocess.run(
        [sys.executable, ROOT / "tools/build_extension.py", window.folder], capture_output=True, text=True, check=True
    )
    done = window.command("extension", "install-file", "-r", "user_default", "-e", built.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return window
