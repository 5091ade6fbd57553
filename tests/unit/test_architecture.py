"""Who may import what: the contract that keeps torch out of Blender and bpy out of the worker."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSIDE = "marigold_blender"

# part -> third-party modules it may import, and parts of marigold_blender (longest prefix decides; "" is the package
# itself with its plain modules errors, settings, record, paths)
MAY_IMPORT = {
    "": (set(), {""}),
    "cli": (
        set(),
        {
            "",
            "worker.server",
            "training",
            "calibrate_command",
            "depth_of_field_command",
            "mesh_command",
            "models_command",
            "runtime",
            "benchmark",
        },
    ),
    "models_command": (set(), {"", "models", "worker.server"}),
    "calibrate_command": (set(), {"", "geometry", "worker.server"}),
    "depth_of_field_command": (set(), {"", "worker.server"}),
    "mesh_command": ({"numpy"}, {"", "geometry", "depth_files", "photos", "mesh_files"}),
    "mesh_files": ({"numpy"}, {"", "mesh_files"}),
    "geometry": ({"numpy"}, {"", "geometry"}),
    "scene": ({"bpy", "bpy_extras", "mathutils", "numpy"}, {"", "scene", "geometry"}),
    "models": (set(), {"", "models"}),
    "runtime": (set(), {"", "runtime", "models", "worker", "worker.client"}),
    "worker": (set(), {"", "worker"}),
    "worker.client": (set(), {"", "worker", "worker.client"}),
    "worker.server": (
        {"torch", "diffusers", "numpy", "huggingface_hub", "httpx2"},
        {
            "",
            "worker",
            "worker.server",
            "models",
            "estimation",
            "depth_of_field",
            "clips",
            "photos",
            "depth_files",
            "geometry",
            "training",
        },
    ),
    "photos": ({"numpy", "PIL", "pillow_heif", "lensfunpy", "OpenImageIO"}, {"", "photos", "depth_files", "geometry"}),
    "clips": ({"numpy", "av"}, {"", "clips", "depth_files"}),
    "depth_of_field": ({"torch", "numpy", "OpenImageIO"}, {"", "depth_of_field", "geometry", "depth_files"}),
    "depth_files": ({"numpy", "PIL", "OpenImageIO"}, {"", "depth_files"}),
    "estimation": ({"torch", "numpy", "diffusers", "transformers", "psutil"}, {"", "estimation"}),
    "benchmark": (
        {"torch", "numpy", "diffusers", "transformers", "PIL", "psutil"},
        {"", "benchmark", "estimation", "worker.server", "models"},
    ),
    "operators": ({"bpy"}, {"", "scene", "worker.client", "models", "runtime", "operators", "training"}),
    "panels": ({"bpy", "blf"}, {"", "scene", "worker.client", "models", "runtime", "operators", "panels"}),
}
BLENDER_SIDE = ("", "geometry", "scene", "models", "runtime", "worker", "worker.client", "operators", "panels")
FORBIDDEN_IN_BLENDER = {"threading", "concurrent", "multiprocessing", "asyncio", "_thread"}


def sources() -> list[Path]:
    folders = (ROOT / INSIDE, ROOT / "operators", ROOT / "panels")
    # training is two programs, one in Blender and one with torch: its own test holds its rules
    return [path for folder in folders for path in folder.rglob("*.py") if "training" not in path.parts]


def part_of(module: tuple[str, ...]) -> str:
    """The part that a module belongs to, by its longest known prefix."""
    inside = module[1:] if module[0] == INSIDE else module
    for length in range(len(inside), -1, -1):
        if (name := ".".join(inside[:length])) in MAY_IMPORT:
            return name
    raise AssertionError(module)


def imports(path: Path) -> list[tuple[str, ...]]:
    """Absolute names of the modules that a file imports, relative ones resolved from the root of the extension."""
    here = path.relative_to(ROOT).with_suffix("").parts
    found: list[tuple[str, ...]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            found += [(*module, alias.name) for alias in node.names] if node.level else [module]
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_part_may(path):
    here = path.relative_to(ROOT).with_suffix("").parts
    part = part_of(here)
    libraries, parts = MAY_IMPORT[part]
    for module in imports(path):
        if module[0] in (INSIDE, "operators", "panels"):
            assert part_of(module) in parts, f"{part} may not import {'.'.join(module)}"
        elif module[0] not in sys.stdlib_module_names:
            assert module[0] in libraries, f"{part} may not import {module[0]}"
        elif part in BLENDER_SIDE:
            assert module[0] not in FORBIDDEN_IN_BLENDER, f"no threads in Blender's process: {module[0]}"


def blender_side_sources() -> list[Path]:
    return [path for path in sources() if part_of(path.relative_to(ROOT).with_suffix("").parts) in BLENDER_SIDE]


@pytest.mark.parametrize("path", blender_side_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_of_the_blender_side_edits_the_module_path(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {f"{node.value.id}.{node.attr}" for node in ast.walk(tree) if _is_plain_attribute(node)}
    assert "sys.path" not in used
    assert "sys.modules" not in used


def _is_plain_attribute(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


def test_importing_the_package_is_light():
    program = (
        "import marigold_blender.cli, sys; print([m for m in ('torch', 'numpy', 'PIL', 'bpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
