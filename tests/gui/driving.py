"""Drives a real Blender window from inside it: steps between redraws, the mouse by xdotool, screenshots.

Imported by the scripts that a test starts with `blender-window run --python SCRIPT`. Blender's own event loop must run
between two steps, so a script is a generator that yields how many seconds to wait.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

SETTLE_S = 0.4


class Window:
    """The Blender window and what a person can do with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report: dict[str, object] = {}

    def screenshot(self, name: str) -> None:
        """Keep a picture of the screen, and in the report where on it the sidebar is: left, top, width, height."""
        left, top = self._origin()
        window = bpy.context.window_manager.windows[0]
        for area in window.screen.areas:
            for region in area.regions:
                if area.type in ("VIEW_3D", "IMAGE_EDITOR") and region.type == "UI" and region.width > 1:
                    down = top + window.height - region.y - region.height
                    box = [left + region.x, down, region.width, region.height]
                    self.report.setdefault("sidebars", {})[name] = box
        # bpy.ops.screen.screenshot gives a black picture under Xvfb
        subprocess.run(["import", "-window", "root", str(self.folder / f"{name}.png")], check=True, timeout=60)

    def area(self, kind: str) -> bpy.types.Area:
        return next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == kind)

    def region(self, area_kind: str, region_kind: str) -> bpy.types.Region:
        return next(region for region in self.area(area_kind).regions if region.type == region_kind)

    def open_sidebar(self, area_kind: str, tab: str) -> Iterator[float]:
        self.area(area_kind).spaces.active.show_region_ui = True
        yield SETTLE_S
        self.region(area_kind, "UI").active_panel_category = tab
        yield SETTLE_S

    def point(self, x: int, y: int) -> None:
        """Move the pointer to Blender's window coordinates (from the bottom left)."""
        self.pointer = (x, y)
        height = bpy.context.window_manager.windows[0].height
        left, top = self._origin()
        for nudge in (3, 0):  # Blender notices a pointer only when it moves
            _xdotool("mousemove", str(left + x + nudge), str(top + height - y + nudge))

    def find_button(self, region: bpy.types.Region, operator: str, from_right: int | None = None) -> Iterator[float]:
        """Yields while looking for an operator's button in a region; `self.found` is its place, or None.

        Blender copies the Python command of the button under the pointer on Ctrl-C: no pixel need be known.
        """
        self.found: tuple[int, int] | None = None
        x = region.x + (region.width // 2 if from_right is None else region.width - from_right)
        for y in range(region.y + region.height - 30, region.y + 20, -9):
            bpy.context.window_manager.clipboard = ""
            self.point(x, y)
            yield 0.06
            _xdotool("key", "ctrl+c")
            yield 0.06
            if f"bpy.ops.{operator}(" in bpy.context.window_manager.clipboard:
                self.found = (x, y)
                return

    def click(self, x: int, y: int) -> Iterator[float]:
        self.point(x, y)
        yield SETTLE_S
        _xdotool("click", "1")
        yield SETTLE_S

    @staticmethod
    def press() -> None:
        """Click where the pointer is."""
        _xdotool("click", "1")

    def drag_edge(self, region: bpy.types.Region, by: int) -> Iterator[float]:
        """Make a sidebar narrower by dragging its left edge to the right."""
        x, y = region.x, region.y + region.height // 2
        self.point(x, y)
        yield SETTLE_S
        _xdotool("mousedown", "1")
        yield 0.2
        for part in range(1, 11):
            self.point(x + by * part // 10, y)
            yield 0.05
        _xdotool("mouseup", "1")
        yield SETTLE_S

    def override(self):
        """The context in which a person works in the 3D View."""
        return bpy.context.temp_override(
            window=bpy.context.window_manager.windows[0],
            area=self.area("VIEW_3D"),
            region=self.region("VIEW_3D", "WINDOW"),
        )

    @staticmethod
    def key(name: str) -> None:
        _xdotool("key", name)

    def wait_for(self, what: str, condition: Callable[[], bool], timeout_s: float) -> Iterator[float]:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout_s} s for {what}")
            yield 0.05

    @staticmethod
    def _origin() -> tuple[int, int]:
        """Where Blender's drawing starts on the screen, below the window manager's title bar."""
        names = _xdotool("search", "--name", "Blender").split()
        geometry = _xdotool("getwindowgeometry", "--shell", names[-1])
        values = dict(line.split("=") for line in geometry.splitlines() if "=" in line)
        return int(values["X"]), int(values["Y"])


def run(script: Callable[[Window], Iterator[float]]) -> None:
    """Run the steps of `script` in this Blender, write `report.json` into the folder after `--`, and quit."""
    window = Window(Path(sys.argv[sys.argv.index("--") + 1]))
    steps = script(window)

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            window.report["finished"] = True
        except Exception:  # noqa: BLE001 - whatever it is, it belongs into the report
            window.report["error"] = traceback.format_exc()
            window.screenshot("error")
        (window.folder / "report.json").write_text(json.dumps(window.report, indent=1, default=str))
        sys.stdout.flush()
        bpy.ops.wm.quit_blender()
        return None

    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(step, first_interval=2.0, persistent=True)  # a script may open another file


def _xdotool(*arguments: str) -> str:
    done = subprocess.run(["xdotool", *arguments], capture_output=True, text=True, timeout=20, env=os.environ)
    return done.stdout
