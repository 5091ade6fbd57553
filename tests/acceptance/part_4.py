"""Part 4 in full: depth of field against Cycles' own thin lens, point lights, Blender versions, speed, a killed clip.

The rendered scenes are kept in MARIGOLD_ACCEPTANCE (default: ~/.cache/marigold-acceptance): an hour of two cores each.
Pictures for docs/depth-of-field.md come with them.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from marigold_blender.clips.depth_sequence import record_content, record_path, write_frame
from marigold_blender.depth_of_field.blurring import blur_picture
from marigold_blender.depth_of_field.bokeh import Bokeh
from marigold_blender.geometry.thin_lens import ThinLens
from marigold_blender.record import DepthRecord
from marigold_blender.training.exposure import encode_srgb
from tests.acceptance.steps import ROOT, Acceptance
from tests.acceptance.thin_lens_list import SCENES, LensScene
from tests.spots import radius_of_spot

KEPT = Path(os.environ.get("MARIGOLD_ACCEPTANCE", Path.home() / ".cache/marigold-acceptance"))
SAMPLES = 512
METHODS = ("sharp", "plain", "nodes", "best")
ENVIRONMENTS = {"4.2": ".venv-bpy42", "4.5": ".venv", "5.2": ".venv-bpy52"}
FRAMES = 48
KILLS = 8
PICTURE = (
    "![Sharp, Cycles' thin lens, Best, Nodes](pictures/depth_of_field_scenes.jpg)\n\n"
    "*From left to right: the sharp picture, Cycles' thin lens, Best, Nodes.*"
)


def main() -> None:
    acceptance = Acceptance(4)
    rows = [acceptance.step(scene.name, lambda scene=scene: against_cycles(scene)) for scene in SCENES]
    acceptance.results |= summary(rows)
    acceptance.step("point_lights", point_lights)
    acceptance.step("versions", versions)
    acceptance.step("speed", speed)
    acceptance.step("killed_clip", killed_clip)
    acceptance.finish()
    document(acceptance.results)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the issue asks of all scenes together."""
    return {
        "scenes": len(rows),
        "means": {method: round(float(np.mean([row[method] for row in rows])), 4) for method in METHODS},
        "worst_best": min(row["best"] for row in rows),
        "best_beats_plain": sum(row["best"] > row["plain"] for row in rows),
        "scenes_with_a_blurred_foreground": sum(row["blurred"] == "foreground" for row in rows),
        "scenes_with_circles_of_2_percent": sum(row["largest_circle_percent"] >= 2.0 for row in rows),
    }


def document(results: dict[str, Any]) -> None:
    """Put the table and the pictures into docs/depth-of-field.md."""
    rows = [(scene, results[scene.name]) for scene in SCENES if scene.name in results]
    lines = [
        "| scene | blurred | largest circle | untouched | Defocus | Nodes | Best |",
        "|---|---|---|---|---|---|---|",
    ]
    for scene, row in rows:
        values = " | ".join(f"{row[method]:.4f}" for method in METHODS)
        lines.append(
            f"| {scene.family} {scene.index} | {scene.blurred} | {row['largest_circle_percent']} % | {values} |"
        )
    means = " | ".join(f"**{results['means'][method]:.4f}**" for method in METHODS)
    lines += [f"| mean | | | {means} |", ""]
    if len(rows) < len(SCENES):
        lines += [f"{len(rows)} of the {len(SCENES)} scenes are rendered so far; the same command goes on.", ""]
    lines.append(PICTURE)
    page = ROOT / "docs" / "depth-of-field.md"
    before, rest = page.read_text(encoding="utf-8").split("<!-- measured -->\n")
    after = rest.split("<!-- /measured -->")[1]
    text = f"{before}<!-- measured -->\n" + "\n".join(lines) + f"\n<!-- /measured -->{after}"
    page.write_text(text, encoding="utf-8")
    shown = [
        Image.open(KEPT / "thin_lens" / f"{scene.name}.jpg") for scene, row in rows if scene.blurred == "foreground"
    ]
    strips = [np.asarray(picture.resize((picture.width // 2, picture.height // 2))) for picture in shown[:4]]
    Image.fromarray(np.concatenate(strips)).save(ROOT / "docs/pictures/depth_of_field_scenes.jpg", quality=88)


def against_cycles(scene: LensScene) -> dict[str, Any]:
    """SSIM of every method with Cycles' thin lens, as displayed; the pictures side by side."""
    folder = KEPT / "thin_lens"
    if not (folder / f"{scene.name}.json").is_file():
        run(["-m", "tests.acceptance.thin_lens_scenes", folder, SAMPLES, scene.name])
    about = json.loads((folder / f"{scene.name}.json").read_text())
    given = np.load(folder / f"{scene.name}.npz")
    composited = compositor(folder / f"{scene.name}.npz", ".venv")
    lens = lens_of(about, given["depth"].shape[1])
    radius = np.clip(lens.radius_px(given["depth"]), -64.0, 64.0)
    pictures = {
        "sharp": given["sharp"],
        "plain": composited["plain"],
        "nodes": composited["nodes"],
        "best": blur_picture(given["sharp"], radius, Bokeh()),
    }
    gain = exposure(given["sharp"], about["brightness"])
    truth = encode_srgb(given["blurred"] * gain)
    shown = {name: encode_srgb(picture * gain) for name, picture in pictures.items()}
    save_row(folder / f"{scene.name}.jpg", [shown["sharp"], truth, shown["best"], shown["nodes"]])
    return {
        "blurred": scene.blurred,
        **{name: round(float(similarity(picture, truth)), 4) for name, picture in shown.items()},
        "samples": about.get("samples", SAMPLES),
        "f_stop": round(about["fstop"], 3),
        "focus_m": round(about["focus_m"], 3),
        "largest_circle_percent": round(float(2 * np.percentile(np.abs(radius), 98)) / radius.shape[1] * 100, 2),
        "foreground_circle_percent": round(float(2 * -radius.min()) / radius.shape[1] * 100, 2),
    }


def similarity(picture: np.ndarray, truth: np.ndarray) -> float:
    """SSIM with the Gaussian weights of Wang et al. 2004."""
    return structural_similarity(
        picture, truth, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )


def exposure(linear: np.ndarray, brightness: float) -> float:
    """The factor that shows a picture with this mean display value."""
    low, high = -12.0, 12.0  # stops
    for _ in range(24):
        middle = (low + high) / 2
        if encode_srgb(np.maximum(linear, 0) * 2.0**middle).mean() < brightness:
            low = middle
        else:
            high = middle
    return 2.0**low


def lens_of(about: dict[str, Any], width: int) -> ThinLens:
    focal_px = about["lens_mm"] / about["sensor_mm"] * width
    return ThinLens.from_f_stop(about["focus_m"], about["fstop"], focal_px, width, about["sensor_mm"])


def point_lights() -> dict[str, Any]:
    """Measured and expected radius, in pixels, of single bright pixels at some distances."""
    about = {"lens_mm": 50.0, "sensor_mm": 36.0, "focus_m": 2.0, "fstop": 1.4}
    size = (161, 241)  # height, width
    lens = lens_of(about, size[1])
    light = np.zeros((*size, 3), np.float32)
    light[80, 120] = 1000.0
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for distance in (0.3, 0.5, 0.9, 1.4, 3.0, 6.0, 50.0):
            depth = np.full(size, distance, np.float32)
            np.savez(f"{folder}/light.npz", sharp=light, depth=depth)
            Path(f"{folder}/light.json").write_text(json.dumps(about))
            radius = lens.radius_px(depth)
            nodes = compositor(Path(folder) / "light.npz", ".venv", largest=0.2)["nodes"]
            best = blur_picture(light, radius, Bokeh())
            rows.append(
                {
                    "distance_m": distance,
                    "expected_px": round(float(abs(radius[0, 0])), 2),
                    "nodes_px": round(radius_of_spot(nodes[..., 0]), 2),
                    "best_px": round(radius_of_spot(best[..., 0]), 2),
                }
            )
    return {
        "lights": rows,
        "worst_error_over_allowed": round(
            max(
                abs(row[method] - row["expected_px"]) / max(0.5, 0.03 * row["expected_px"])
                for row in rows
                for method in ("nodes_px", "best_px")
            ),
            2,
        ),
    }


def versions() -> dict[str, Any]:
    """Mean difference, of 255, of what the same script gives in the Blender versions."""
    scene = SCENES[0]
    pictures = {
        version: encode_srgb(compositor(KEPT / "thin_lens" / f"{scene.name}.npz", environment)["nodes"])
        for version, environment in ENVIRONMENTS.items()
    }
    pairs = (("4.2", "4.5"), ("4.5", "5.2"), ("4.2", "5.2"))
    return {f"{a} and {b}": round(float(np.abs(pictures[a] - pictures[b]).mean() * 255), 5) for a, b in pairs}


def speed() -> dict[str, Any]:
    """Seconds for 1920 x 1080 with a largest blur of 16 pixels, the methods in turn, three times."""
    rows: dict[str, list[float]] = {"plain": [], "nodes": [], "best": []}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "full.npz"
        about, sharp, depth = full_size(SCENES[1])
        np.savez(source, sharp=sharp, depth=depth)
        source.with_suffix(".json").write_text(json.dumps(about))
        radius = np.clip(lens_of(about, 1920).radius_px(depth), -16.0, 16.0)
        for _ in range(3):
            composited = compositor(source, ".venv", largest=16 / 1920)
            rows["plain"].append(float(composited["plain_seconds"]))
            rows["nodes"].append(float(composited["nodes_seconds"]))
            started = time.perf_counter()
            blur_picture(sharp, radius, Bokeh())
            rows["best"].append(time.perf_counter() - started)
    medians = {name: round(sorted(seconds)[1], 2) for name, seconds in rows.items()}
    return {"seconds": {k: [round(s, 2) for s in v] for k, v in rows.items()}, "median": medians}


def full_size(scene: LensScene) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """A scene three times as large: every pixel nine times."""
    folder = KEPT / "thin_lens"
    about = json.loads((folder / f"{scene.name}.json").read_text())
    given = np.load(folder / f"{scene.name}.npz")
    return about, given["sharp"].repeat(3, 0).repeat(3, 1), given["depth"].repeat(3, 0).repeat(3, 1)


def killed_clip() -> dict[str, Any]:
    """48 frames with a racking focus by one command, killed at random moments: the files of an unbroken run."""
    with tempfile.TemporaryDirectory() as folder:
        make_clip(Path(folder))
        started = time.monotonic()
        clip_command(Path(folder), "unbroken").wait()
        seconds = time.monotonic() - started
        chance, kills = random.Random(4), 0
        for done in sorted(chance.sample(range(1, FRAMES), KILLS)):
            process = clip_command(Path(folder), "broken")
            while len(list((Path(folder) / "broken").glob("*.png"))) < done and process.poll() is None:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.5) * seconds / FRAMES)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            process.wait()
        code = clip_command(Path(folder), "broken").wait()
        unbroken, broken = (sorted((Path(folder) / name).glob("shot_*.png")) for name in ("unbroken", "broken"))
        same = [a.read_bytes() == b.read_bytes() for a, b in zip(unbroken, broken, strict=True)]
        left = [path.name for path in (Path(folder) / "broken").iterdir() if path.name.startswith(".")]
    if code or len(same) != FRAMES or not all(same):
        raise SystemExit(f"code {code}, {len(same)} frames, {sum(same)} the same")
    return {
        "frames": FRAMES,
        "seconds": round(seconds, 1),
        "kills": kills,
        "same": sum(same),
        "temporary_left": len(left),
    }


def make_clip(folder: Path) -> None:
    about, sharp, depth = SCENES[1], *(full_size(SCENES[1])[index][::3, ::3] for index in (1, 2))
    height, width = depth.shape
    gain = exposure(sharp, 0.4)
    inverse = 1 / np.minimum(depth, 1e4)
    near = ((inverse.max() - inverse) / (inverse.max() - inverse.min())).astype(np.float32)
    record = DepthRecord(about.name, width, height, "true", "", {}, (width, height), "", "")
    (folder / "shot").mkdir()
    for number in range(1, FRAMES + 1):
        shift = number // 2
        frame = np.roll(encode_srgb(sharp * gain), shift, axis=1)
        Image.fromarray((frame * 255 + 0.5).astype(np.uint8)).save(folder / "shot" / f"shot_{number:04}.png")
        write_frame(folder / "depth", "shot", number, np.roll(near, shift, axis=1))
    content = {**record_content(record, "independent", {}), "frames": {}}
    record_path(folder / "depth", "shot").write_text(json.dumps(content))


def clip_command(folder: Path, output: str) -> subprocess.Popen:
    focus = ["--focus", f"1:0.05,{FRAMES}:0.95", "--blur", "4"]
    command = [
        sys.executable,
        "-m",
        "marigold_blender.cli",
        "dof",
        folder / "shot",
        "--depth",
        folder / "depth",
        *focus,
    ]
    return subprocess.Popen([*map(str, command), "--output", str(folder / output)], cwd=ROOT, stdout=subprocess.DEVNULL)


def compositor(source: Path, environment: str, largest: float = 0.1) -> dict[str, np.ndarray]:
    """What Blender's compositor makes of a scene: see `thin_lens_compositor`."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.npz"
        run(["-m", "tests.acceptance.thin_lens_compositor", source, target, largest], environment)
        return dict(np.load(target))


def run(arguments: list[object], environment: str = ".venv") -> None:
    command = [str(ROOT / environment / "bin/python"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])


def save_row(path: Path, pictures: list[np.ndarray]) -> None:
    row = np.concatenate(pictures, axis=1)
    Image.fromarray((row * 255 + 0.5).astype(np.uint8)).save(path, quality=90)


if __name__ == "__main__":
    main()
