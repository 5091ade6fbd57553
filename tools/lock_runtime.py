# SPDX-License-Identifier: GPL-3.0-or-later
"""Remakes the runtime's pinned requirements in `marigold_blender/runtime/requirements/` from pyproject.toml.

`.venv/bin/python tools/lock_runtime.py` (needs `uv` on the PATH and the network). Versions follow
`requirements/venv.lock`, which the tests ran with, wherever that version has wheels for every target.

Three files of `name==version` with hashes for pip and uv, and the bytes of every wheel for the progress:
  pip.txt       pip itself, first: old ones print no progress
  packages.txt  everything but torch and what torch brings for a GPU
  torch.txt     torch as PyPI has it (Linux: CUDA, macOS: MPS, Windows: CPU) with the CUDA libraries it needs
  sizes.json    {package: {target or "*": bytes}}, target = platform-python, as in "linux-x86_64-3.11"
"""

import json
import re
import subprocess
import tempfile
import tomllib
from pathlib import Path

from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "marigold_blender/runtime/requirements"
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "linux-x86_64": ("linux", "x86_64", r"manylinux.*_x86_64"),
    "linux-aarch64": ("linux", "aarch64", r"manylinux.*_aarch64"),
    "win-amd64": ("win32", "AMD64", r"win_amd64"),
    "macos-arm64": ("darwin", "arm64", r"macosx_1[0-4]_.*_(arm64|universal2)"),
}
FREE = {"numpy"}  # Blender 4.x holds the tests at an older one
TORCH = re.compile(r"torch|triton|cuda-.*|nvidia-.*")
PROJECT = """
[project]
name = "runtime"
version = "0"
requires-python = ">={first},<{after}"
dependencies = {dependencies}
[tool.uv]
environments = {environments}
constraint-dependencies = {constraints}
"""


def main() -> None:
    lock = resolve()
    sizes: dict[str, dict[str, int]] = {}
    texts = {"pip": "", "packages": "", "torch": ""}
    for package in sorted(lock["package"], key=lambda package: (package["name"], package["version"])):
        name = package["name"]
        if name == "runtime":
            continue
        targets, hashes = wheels_of(package)
        if not targets:
            raise SystemExit(f"{name} {package['version']} has no wheel for any target")
        sizes.setdefault(name, {}).update(targets)
        kind = "pip" if name == "pip" else "torch" if TORCH.fullmatch(name) else "packages"
        texts[kind] += requirement(package, markers_of(package, lock), hashes)
    OUTPUT.mkdir(exist_ok=True)
    for kind, text in texts.items():
        (OUTPUT / f"{kind}.txt").write_text(f"# Made by tools/lock_runtime.py.\n{text}", encoding="utf-8", newline="\n")
    (OUTPUT / "sizes.json").write_text(json.dumps(sizes, indent=0) + "\n", encoding="utf-8", newline="\n")


def resolve() -> dict:
    """uv's own lock of pyproject's dependencies and pip, for every target at once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = (ROOT / "requirements/venv.lock").read_text(encoding="utf-8").split()
    pinned = {line.split("==")[0].lower().replace("_", "-"): line for line in tested}
    environments = [f"sys_platform == '{s}' and platform_machine == '{m}'" for s, m, _ in PLATFORMS.values()]
    first, last = PYTHONS[0], PYTHONS[-1]
    text = PROJECT.format(
        first=first,
        after=f"3.{int(last.split('.')[1]) + 1}",
        dependencies=json.dumps([*project["dependencies"], "pip"]),
        environments=json.dumps(environments),
        constraints=json.dumps([line for name, line in pinned.items() if name not in FREE]),
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(text, encoding="utf-8")
        subprocess.run(["uv", "lock", "--quiet", "--no-python-downloads"], cwd=folder, check=True)
        return tomllib.loads((Path(folder) / "uv.lock").read_text(encoding="utf-8"))


def wheels_of(package: dict) -> tuple[dict[str, int], list[str]]:
    """Bytes by target, and the hashes, of the wheels that some target can use."""
    sizes: dict[str, int] = {}
    hashes: list[str] = []
    for wheel in package.get("wheels", ()):
        _, _, _, tags = parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])
        for tag in tags:
            fitting = [t for t in targets_of(tag.interpreter, tag.abi, tag.platform) if fits(package, t)]
            for target in fitting:
                sizes[target] = max(sizes.get(target, 0), wheel["size"])
            if fitting and wheel["hash"] not in hashes:
                hashes.append(wheel["hash"])
    if "*" in sizes:
        return {"*": sizes["*"]}, hashes
    return sizes, hashes


def targets_of(interpreter: str, abi: str, platform: str) -> list[str]:
    if platform == "any":
        return ["*"]
    pythons = [
        python
        for python in PYTHONS
        if interpreter in ("py3", "py2.py3")
        or interpreter == abi == "cp" + python.replace(".", "")
        or (abi == "abi3" and int(interpreter[3:]) <= int(python.split(".")[1]))
    ]
    names = [name for name, (_, _, pattern) in PLATFORMS.items() if re.fullmatch(pattern, platform)]
    return [f"{name}-{python}" for name in names for python in pythons]


def fits(package: dict, target: str) -> bool:
    """Whether the lock takes this version for the target: some have one version for old Pythons and one for new."""
    if target == "*" or "resolution-markers" not in package:
        return True
    markers = " ".join(package["resolution-markers"])
    old = int(target.rsplit(".", 1)[1]) < 12
    return ("python_full_version < '3.12'" in markers) == old


def markers_of(package: dict, lock: dict) -> str:
    """The requirement's own condition, where it does not hold for every target."""
    name = package["name"]
    if "resolution-markers" in package:
        old = "python_full_version < '3.12'" in " ".join(package["resolution-markers"])
        return f"python_version {'<' if old else '>='} '3.12'"
    if name != "torch" and TORCH.fullmatch(name):
        return "sys_platform == 'linux'"
    users = [d for p in lock["package"] for d in p.get("dependencies", ()) if d["name"] == name]
    if users and all("sys_platform == 'win32'" in d.get("marker", "") and " or " not in d["marker"] for d in users):
        return "sys_platform == 'win32'"
    return ""


def requirement(package: dict, marker: str, hashes: list[str]) -> str:
    line = f"{package['name']}=={package['version']}" + (f" ; {marker}" if marker else "")
    return line + "".join(f" \\\n    --hash={value}" for value in hashes) + "\n"


if __name__ == "__main__":
    main()
