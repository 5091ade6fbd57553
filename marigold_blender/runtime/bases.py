# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds and checks the Python that the environment is made from. Used by `plan`, in the installer's process.

Candidates: the one the user named, else the one that runs the installer (Blender's own), else what is found on this
computer. A named one is never silently replaced.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import MarigoldError
from .requirements import SUPPORTED_PYTHONS

PROBE_TIMEOUT_S = 20.0
# Runs in whatever was named, Python 2 included.
PROBE = """
import json, platform, struct, sys, sysconfig
def has(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
print(json.dumps({
    "version": list(sys.version_info[:3]), "implementation": platform.python_implementation(),
    "bits": struct.calcsize("P") * 8, "venv": has("venv"), "ensurepip": has("ensurepip"),
    "machine": platform.machine().lower(), "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "libc": list(platform.libc_ver()) if sys.platform.startswith("linux") else [],
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
}))
"""
VERSIONS = " to ".join(f"{major}.{minor}" for major, minor in (SUPPORTED_PYTHONS[0], SUPPORTED_PYTHONS[-1]))
ADVICE = f"name a Python {VERSIONS} (python.org, your package manager) as Base Python in the add-on's preferences"


@dataclass(frozen=True)
class Base:
    """A Python that can be the base.

    Attributes:
        executable: the interpreter itself, not the environment it may have been named through.
        note: why it was taken instead of Blender's own; else empty.
    """

    executable: Path
    version: tuple[int, int, int]
    note: str = ""

    @property
    def minor(self) -> tuple[int, int]:
        return self.version[:2]


def choose_base(named: str, runner: str, *, with_uv: bool) -> Base:
    """The base to use.

    Args:
        named: the user's choice; empty for the runner, else one that is found.
        runner: the Python of Blender or of the terminal.
        with_uv: uv makes environments without the base's own `venv` and `ensurepip`.

    Raises:
        MarigoldError: the named one, or everything there is, cannot be the base (`no_runtime`).
    """
    if named:
        return check_base(named, with_uv=with_uv)
    try:
        return check_base(runner, with_uv=with_uv)
    except MarigoldError as error:
        first = error
    for candidate in found_pythons():
        try:
            base = check_base(candidate, with_uv=with_uv)
        except MarigoldError:
            continue
        reason = first.message.partition(":")[0]
        return Base(base.executable, base.version, f"{reason}; “{base.executable}” is used instead.")
    raise first


def check_base(executable: str, *, with_uv: bool = False) -> Base:
    """Ask a Python what it is.

    Raises:
        MarigoldError: it cannot be the base (`no_runtime`): one sentence, and what to do.
    """
    try:
        done = subprocess.run(
            [executable, "-E", "-s", "-c", PROBE] if executable else [],  # -I is unknown to old ones
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=Path(sys.executable).parent,  # the first place it imports from
        )
        facts = json.loads(done.stdout)
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise _unfit(f"“{executable}” is not a Python that runs here", str(error)) from error
    problem = problem_of(facts, executable, with_uv=with_uv)
    if problem:
        raise _unfit(problem, json.dumps(facts))
    major, minor, micro = facts["version"]
    return Base(Path(facts["executable"]), (major, minor, micro))


def problem_of(facts: dict, executable: str, *, with_uv: bool = False) -> str:
    """What makes a Python unfit as the base; empty if nothing does."""
    version = ".".join(map(str, facts["version"][:2]))
    if "windowsapps" in executable.lower():
        return f"“{executable}” is Python from the Microsoft Store, whose files other programs do not see"
    if facts["implementation"] != "CPython":
        return f"“{executable}” is {facts['implementation']}, for which torch has no build"
    if tuple(facts["version"][:2]) not in SUPPORTED_PYTHONS:
        return f"“{executable}” is Python {version}, but the runtime needs {VERSIONS}"
    if facts["free_threaded"]:
        return f"“{executable}” is a free-threaded Python, for which not all packages have builds"
    if facts["bits"] != 64:
        return f"“{executable}” is a 32-bit Python, for which torch has no build"
    if facts["libc"] and facts["libc"][0] != "glibc":
        return "This system has no glibc, without which torch does not run"
    if facts["libc"] and _numbers(facts["libc"][1]) < (2, 28):
        return f"This system's glibc {facts['libc'][1]} is older than 2.28, without which torch does not run"
    if not with_uv and not (facts["venv"] and facts["ensurepip"]):
        lacking = "ensurepip" if facts["venv"] else "venv"
        return f"“{executable}” (Python {version}) has no {lacking}, so that no environment can be made from it"
    return ""


def found_pythons() -> list[str]:
    """Pythons of supported versions that are installed here, the best tested version first; not yet checked."""
    found: list[str] = []
    for major, minor in SUPPORTED_PYTHONS:
        name = f"python{major}.{minor}"
        if path := shutil.which(name):
            found.append(path)
        found += sorted(glob.glob(str(Path.home() / f".pyenv/versions/{major}.{minor}.*/bin/python")), reverse=True)
        if sys.platform == "win32":
            program_files = os.environ.get("PROGRAMFILES", r"C:\Program Files")
            local = os.environ.get("LOCALAPPDATA", "")
            folder = f"Python{major}{minor}"
            found += [str(Path(program_files, folder, "python.exe"))]
            found += [str(Path(local, "Programs", "Python", folder, "python.exe"))]
        elif sys.platform == "darwin":
            found += [f"/opt/homebrew/bin/{name}", f"/usr/local/bin/{name}"]
            found += [f"/Library/Frameworks/Python.framework/Versions/{major}.{minor}/bin/{name}"]
    return [path for path in dict.fromkeys(found) if Path(path).is_file()]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _unfit(problem: str, details: str) -> MarigoldError:
    return MarigoldError("no_runtime", f"{problem}: {ADVICE}.", fix="preferences.addon_show", details=details)
