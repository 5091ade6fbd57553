# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the runtime lies and what is in its folder. Used by every other file of this part, and by preferences."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import MarigoldError
from ..paths import user_folder

# Windows without long paths: 260 characters with the end; the longest file of an environment has 155 below its folder
# (`Lib\site-packages\diffusers\…\__pycache__\….pyc`), an environment's own name 11.
WINDOWS_LIMIT = 259
LONGEST_INSIDE = 155
NOTE = """This folder is the Python environment of Marigold Depth for Blender.
It can be removed in the add-on's preferences, by `marigold runtime remove`, or by deleting the folder.
"""


def default_folder() -> Path:
    """`MARIGOLD_RUNTIME`, else one folder for each user, shared by all Blender versions; it outlives the extension."""
    if named := os.environ.get("MARIGOLD_RUNTIME"):
        return Path(named).expanduser().absolute()
    return user_folder() / "runtime"


@dataclass(frozen=True)
class Layout:
    """The names inside a runtime folder."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def downloads(self) -> Path:
        """pip's or uv's cache; kept after a failure, so that nothing is fetched twice, and deleted after success."""
        return self.folder / "downloads"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def environment(self, name: str) -> Path:
        return self.folder / name

    def new_environment(self) -> Path:
        """A folder that is not there yet; short, for Windows."""
        return self.folder / f"env-{time.time_ns() // 1_000_000 & 0xFFFFFFF:07x}"

    def environments(self) -> list[Path]:
        return sorted(path for pattern in ("env-*", "old-*") for path in self.folder.glob(pattern))

    def is_ours(self) -> bool:
        return self.state.is_file() or self.lock.is_file()


def python_of(environment: Path, platform: str = sys.platform) -> Path:
    """The interpreter of an environment's folder."""
    return environment / ("Scripts/python.exe" if platform == "win32" else "bin/python")


def make_ready(layout: Layout, platform: str = sys.platform) -> None:
    """Make the folder, or see that it can be used.

    Raises:
        MarigoldError: it holds files of others or is too deep (`bad_input`), or cannot be written (`cannot_write`).
    """
    folder = layout.folder
    if platform == "win32" and not long_paths_enabled():
        check_depth(folder)
    try:
        # a lock alone may be another process's that came first
        if folder.is_dir() and not layout.is_ours() and any(folder.iterdir()):
            raise MarigoldError(
                "bad_input",
                f"The folder “{folder}” holds other files: choose an empty one, for example "
                f"“{folder / 'marigold-runtime'}”.",
                fix="preferences.addon_show",
            )
        for path in (folder, layout.logs, layout.temporary, layout.downloads):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "README.txt").write_text(NOTE, encoding="utf-8")
    except OSError as error:
        raise MarigoldError(
            "cannot_write",
            f"The runtime folder “{folder}” is not writable ({error.strerror}): choose another.",
            fix="preferences.addon_show",
        ) from error


def check_depth(folder: Path) -> None:
    """Refuse a folder in which Windows could not hold an environment's longest file name.

    Raises:
        MarigoldError: it is too deep (`bad_input`).
    """
    room = WINDOWS_LIMIT - LONGEST_INSIDE - len("\\env-1234567\\")
    if len(str(folder)) > room:
        raise MarigoldError(
            "bad_input",
            f"The path of the runtime folder “{folder}” is {len(str(folder)) - room} characters too long for this "
            "Windows: choose a folder nearer to the drive, such as C:\\marigold, or switch on long paths in Windows.",
            fix="preferences.addon_show",
        )


def long_paths_enabled() -> bool:
    """Whether Windows lets programs use paths of more than 260 characters."""
    import winreg

    try:
        with winreg.OpenKey(  # type: ignore[attr-defined]
            winreg.HKEY_LOCAL_MACHINE,  # type: ignore[attr-defined]
            r"SYSTEM\CurrentControlSet\Control\FileSystem",
        ) as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])  # type: ignore[attr-defined]
    except OSError:
        return False


def delete(path: Path, on_file: Callable[[], None] = lambda: None) -> bool:
    """Delete a folder or file; False if something in it cannot be deleted now (in use on Windows): later then.

    A folder is renamed first, so that what is half deleted is never taken for an environment.

    Args:
        on_file: called for each file.
    """
    if path.is_dir() and not path.is_symlink():
        aside = path.with_name(f"old-{path.name.removeprefix('old-')}")
        with contextlib.suppress(OSError):
            path = path.rename(aside)
        for folder, folders, files in os.walk(path, topdown=False):
            for name in (*files, *folders):
                inside = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    if name in files or os.path.islink(inside):
                        _unlink(inside)
                        on_file()
                    else:
                        os.rmdir(inside)
        with contextlib.suppress(OSError):
            path.rmdir()
    else:
        with contextlib.suppress(OSError):
            path.unlink()
    return not path.exists()


def _unlink(file: str) -> None:
    try:
        os.unlink(file)
    except PermissionError:  # Windows keeps what is marked as read-only
        os.chmod(file, 0o600)
        os.unlink(file)


def size_of(path: Path) -> int:
    """Bytes of all files below a folder, hard links counted once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for folder, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):
                facts = os.lstat(os.path.join(folder, name))
                if facts.st_nlink > 1:
                    if (facts.st_dev, facts.st_ino) in seen:
                        continue
                    seen.add((facts.st_dev, facts.st_ino))
                total += facts.st_size
    return total
