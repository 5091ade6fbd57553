"""Photos with known depth, written as the worker writes its results, and pictures rendered from what is built of them.

Used by the tests of the scene. EXR is written by hand: Blender's Python has no library for it.
"""

import json
import os
import struct
from pathlib import Path

import bpy
import numpy as np


def write_exr(path: Path, depth: np.ndarray) -> None:
    """One uncompressed 32-bit float channel Y (OpenEXR file layout, section "Scan line blocks")."""
    height, width = depth.shape

    def attribute(name: str, kind: str, data: bytes) -> bytes:
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(data)) + data

    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    header = struct.pack("<2i", 20000630, 2)
    header += attribute("channels", "chlist", b"Y\0" + struct.pack("<iB3xii", 2, 0, 1, 1) + b"\0")
    header += attribute("compression", "compression", b"\0")
    header += attribute("dataWindow", "box2i", window) + attribute("displayWindow", "box2i", window)
    header += attribute("lineOrder", "lineOrder", b"\0")
    header += attribute("pixelAspectRatio", "float", struct.pack("<f", 1))
    header += attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0))
    header += attribute("screenWindowWidth", "float", struct.pack("<f", 1)) + b"\0"
    rows = [struct.pack("<2i", y, width * 4) + depth[y].astype("<f4").tobytes() for y in range(height)]
    start = len(header) + 8 * height
    offsets = struct.pack(f"<{height}Q", *(start + y * (8 + width * 4) for y in range(height)))
    path.write_bytes(header + offsets + b"".join(rows))


def write_png(path: Path, pixels: np.ndarray) -> None:
    """[H, W, 3 or 4] float 0..1, display-referred, as an 8-bit PNG."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("written", width, height, alpha=True)
    full = np.ones((height, width, 4), np.float32)
    full[..., : pixels.shape[2]] = pixels[::-1]
    image.pixels.foreach_set(full.ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def write_job(
    folder: Path,
    photo: np.ndarray,
    depth: np.ndarray,
    *,
    name="garden",
    valid=None,
    focal_px=None,
    processing_size=None,
) -> dict:
    """The files of a finished job, as `load_depth` takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = depth.shape
    files = {
        "depth": folder / f"{name}_depth.exr",
        "photo": folder / f"{name}.png",
        "record": folder / f"{name}.json",
    }
    write_exr(files["depth"], depth)
    write_png(files["photo"], photo)
    if valid is not None:
        files["mask"] = folder / f"{name}_mask.png"
        write_png(files["mask"], np.repeat(valid[..., None].astype(np.float32), 3, axis=2))
    record = {
        "name": name,
        "width": width,
        "height": height,
        "model": "demo",
        "model_revision": "0",
        "settings": {},
        "processing_size": processing_size or [width, height],
        "source": f"{name}.png",
        "source_sha256": "0" * 64,
        "camera": {"focal_px": focal_px, "origin": "exif_35mm" if focal_px else "unknown", "description": ""},
    }
    files["record"].write_text(json.dumps(record), encoding="utf-8")
    return files


def garden(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A colourful photo [H, W, 3] of a tilted ground, a wall, a ball and a box, with its depth [H, W]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u, v = (x + 0.5) / width, (y + 0.5) / height
    disparity = np.maximum(0.25, 0.25 + 0.75 * (v - 0.4) / 0.6)  # ground from the wall at 4 to the feet at 1
    ball = 1 - ((u - 0.3) ** 2 + ((v - 0.55) * height / width) ** 2) / 0.15**2
    disparity = np.where(ball > 0, 1 / (1.7 - 0.3 * np.sqrt(np.maximum(ball, 0))), disparity)
    disparity = np.where((abs(u - 0.72) < 0.1) & (abs(v - 0.5) < 0.22), 1 / 2.2, disparity)
    depth = np.clip((1 / disparity - 1) / 3, 0, 1).astype(np.float32)
    light = 0.5 + 0.3 * np.sin(40 * u) * np.sin(30 * v)
    # As saturated as photos are: AgX has no picture for the purest colours, whatever light they are made of.
    tints = [0.15 * np.sin(a * u * 6 + b * v * 5 + c) for a, b, c in ((3, 1, 0), (1, 4, 1), (-2, 3, 2))]
    return np.stack([light + tint for tint in tints], axis=-1).astype(np.float32), depth


def render(path: Path, *, samples=16, z_pass=False) -> np.ndarray:
    """What the active scene's camera sees: [H, W, 4] as displayed, or with `z_pass` [H, W] metric depth."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.render.film_transparent = True
    scene.render.compositor_device = "CPU"
    scene.render.filepath = str(path)
    settings = scene.render.image_settings
    if z_pass:
        connect_z_pass(scene)
        settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "32"
    else:
        settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"
    quiet(lambda: bpy.ops.render.render(write_still=True))
    image = bpy.data.images.load(str(path), check_existing=False)
    image.alpha_mode = "CHANNEL_PACKED"
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(image.size[1], image.size[0], 4)[::-1]
    bpy.data.images.remove(image)
    return pixels[..., 3] if z_pass else pixels


def connect_z_pass(scene) -> None:
    """Writes the Z pass into the render's alpha: the one way that needs no multi-layer file."""
    scene.view_layers[0].use_pass_z = True
    if bpy.app.version >= (5, 0, 0):
        tree = bpy.data.node_groups.new("z pass", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    layers, alpha = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeSetAlpha")
    if hasattr(alpha, "mode"):
        alpha.mode = "REPLACE_ALPHA"
    else:
        alpha.inputs["Type"].default_value = "Replace Alpha"
    tree.links.new(layers.outputs["Image"], alpha.inputs["Image"])
    tree.links.new(layers.outputs["Depth"], alpha.inputs["Alpha"])
    tree.links.new(alpha.outputs[0], output.inputs[0])


def quiet(do) -> None:
    """Without Blender's own lines on the standard output."""
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        do()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)


def psnr(seen: np.ndarray, expected: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((seen - expected) ** 2)))


def vertices_of(mesh: bpy.types.Mesh) -> np.ndarray:
    """Positions of the vertices: [V, 3]."""
    positions = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", positions)
    return positions.reshape(-1, 3)
