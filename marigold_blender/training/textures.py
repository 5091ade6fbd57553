# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the folder of textures that the scenes' materials draw from; called once before rendering.

Three sorts, since surfaces that look like nothing photographed teach nothing about photographs: whole pictures of
surfaces (brick, grass, gravel, print, stars), small crops of colour photographs, and synthetic pictures with the
statistics of natural ones. The photographs are those that ship with scikit-image and scikit-learn; a crop is at most a
fifth of the short side, so that no photograph's layout is ever seen as a flat wall.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

TEXTURE_PX = 256
SURFACES = ("brick", "grass", "gravel", "moon", "page", "text", "coins", "cell", "hubble_deep_field", "retina")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower", "motorcycle_left")
COUNTS = {"crop": 28, "leaves": 18, "cloud": 18, "grain": 8, "weave": 8}


def make_textures(folder: Path, seed: int = 1) -> list[Path]:
    """Write the textures as `folder/KIND_nn.png` (256 px, sRGB) unless they are there.

    Returns:
        Their paths in a fixed order: scenes pick by index, so order is part of what a seed means.
    """
    done = folder / "complete"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        photographs = {name: _photograph(name) for name in PHOTOGRAPHS}
        rng = np.random.default_rng(seed)
        for name in SURFACES:
            _save(folder / f"surface_{name}.png", _square(_photograph(name)))
        makers: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
            "crop": photo_crop,
            "leaves": dead_leaves,
            "cloud": cloud,
            "grain": grain,
            "weave": weave,
        }
        for kind, count in COUNTS.items():
            for i in range(count):
                photograph = photographs[PHOTOGRAPHS[i % len(PHOTOGRAPHS)]]
                material = photograph if kind == "crop" else _palette(rng, photograph)
                _save(folder / f"{kind}_{i:02}.png", makers[kind](rng, material))
        done.touch()
    return sorted(folder.glob("*.png"))


def photo_crop(rng: np.random.Generator, photograph: np.ndarray) -> np.ndarray:
    """A square crop of an eighth to a fifth of the short side, enlarged."""
    side = int(min(photograph.shape[:2]) * rng.uniform(0.125, 0.2))
    y = rng.integers(0, photograph.shape[0] - side)
    x = rng.integers(0, photograph.shape[1] - side)
    return _square(photograph[y : y + side, x : x + side])


def dead_leaves(rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Discs and boxes that hide each other, sizes by a power law: the edges and scales of natural images."""
    n = TEXTURE_PX
    pixels = np.empty((n, n, 3))
    pixels[:] = palette[rng.integers(len(palette))]
    smallest, largest = 2.0, n / rng.uniform(3, 8)
    for _ in range(700):
        u = rng.random()  # density of radii ~ r^-3
        radius = (smallest**-2 + u * (largest**-2 - smallest**-2)) ** -0.5
        y, x = rng.uniform(0, n, 2)
        disc = rng.random() < 0.7
        stretch = 1.0 if disc else rng.uniform(0.3, 3)
        rows, dy = _around(y, radius)
        columns, dx = _around(x, radius / stretch)
        inside = np.hypot(dy[:, None], dx) < radius if disc else np.maximum(dy[:, None], dx * stretch) < radius
        window = pixels[np.ix_(rows, columns)]
        window[inside] = palette[rng.integers(len(palette))] * rng.uniform(0.8, 1.2)
        pixels[np.ix_(rows, columns)] = window
    return pixels * (0.9 + 0.2 * _spectrum(rng, 1.2)[..., None])


def _around(centre: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The pixels within `reach` of a place along one axis of a texture that tiles, and their distances."""
    n = TEXTURE_PX
    indices = np.unique(np.arange(math.floor(centre - reach), math.ceil(centre + reach) + 1) % n)
    away = np.abs(indices - centre)
    return indices, np.minimum(away, n - away)


def cloud(rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Noise with a power spectrum of 1/f^a, coloured along a path through a photograph's colours."""
    return _coloured(_spectrum(rng, rng.uniform(0.9, 1.9)), palette) * (
        0.85 + 0.3 * _spectrum(rng, rng.uniform(0.5, 1.0))[..., None]
    )


def grain(rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Wood: noise drawn out along one axis, with rings."""
    fine = _spectrum(rng, 0.9, stretch=rng.uniform(8, 20))
    rings = 0.5 + 0.5 * np.sin(rng.uniform(10, 40) * _spectrum(rng, 1.8, stretch=6))
    browns = palette[np.argsort(palette @ [1.0, 0.2, -1.0])][-4:]
    return _coloured(0.6 * fine + 0.4 * rings, browns)


def weave(rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    """Fabric: threads, stripes and checks."""
    rows, columns = np.mgrid[0:TEXTURE_PX, 0:TEXTURE_PX] / TEXTURE_PX * 2 * np.pi
    thread = 0.8 + 0.2 * np.sin(columns * 64) * np.sin(rows * 64)
    bands = [rng.integers(1, 9), rng.integers(0, 9)]
    stripes = (np.sin(columns * bands[0]) > rng.uniform(-0.8, 0.8)) * 0.5 + (
        np.sin(rows * bands[1]) > rng.uniform(-0.8, 0.8)
    ) * 0.5
    return _coloured(0.8 * stripes + 0.2 * _spectrum(rng, 1.0), palette) * thread[..., None]


def _spectrum(rng: np.random.Generator, power: float, stretch: float = 1.0) -> np.ndarray:
    """[256, 256] in 0..1: noise that tiles, amplitude spectrum 1/f^power, `stretch` times longer along the rows."""
    fy = np.fft.fftfreq(TEXTURE_PX)[:, None]
    fx = np.fft.fftfreq(TEXTURE_PX)[None, :] * stretch
    radius = np.hypot(fy, fx)
    radius[0, 0] = np.inf
    waves = np.fft.fft2(rng.standard_normal((TEXTURE_PX, TEXTURE_PX))) / radius**power
    noise = np.fft.ifft2(waves).real
    low, high = np.percentile(noise, (1, 99))
    return np.clip((noise - low) / (high - low), 0, 1)


def _palette(rng: np.random.Generator, photograph: np.ndarray) -> np.ndarray:
    """[8, 3] in 0..1: colours of one neighbourhood of a photograph."""
    crop = photo_crop(rng, photograph).reshape(-1, 3) / 255
    return crop[rng.integers(0, len(crop), 8)]


def _coloured(value: np.ndarray, palette: np.ndarray) -> np.ndarray:
    ordered = palette[np.argsort(palette.sum(1))]
    steps = np.linspace(0, 1, len(ordered))
    return np.stack([np.interp(value, steps, ordered[:, c]) for c in range(3)], -1)


def _photograph(name: str) -> np.ndarray:
    """[H, W, 3] uint8 of a picture that ships with scikit-image or scikit-learn."""
    if name in ("china", "flower"):
        import sklearn.datasets

        folder = Path(sklearn.datasets.__file__).parent / "images"
    else:
        import skimage.data

        folder = Path(skimage.data.__file__).parent
    path = next(folder.glob(f"{name}.*"))
    return np.asarray(Image.open(path).convert("RGB"))


def _square(pixels: np.ndarray) -> np.ndarray:
    side = min(pixels.shape[:2])
    square = Image.fromarray(pixels[:side, :side]).resize((TEXTURE_PX, TEXTURE_PX), Image.Resampling.LANCZOS)
    return np.asarray(square)


def _save(path: Path, pixels: np.ndarray) -> None:
    if pixels.dtype != np.uint8:
        pixels = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    Image.fromarray(pixels).save(path)
