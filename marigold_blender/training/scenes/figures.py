# SPDX-License-Identifier: GPL-3.0-or-later
"""People, animals and heads of rounded parts: enough for a depth model to learn what bodies and faces do in depth."""

from __future__ import annotations

import math

import numpy as np

from .solids import Solid, blob, join, lathe, moved, sphere, tilted, tube


def person(rng: np.random.Generator, height: float = 1.75) -> dict[str, Solid]:
    """A standing, walking or reaching figure, front towards -Y, as parts: skin, clothes (two), hair."""
    h = height
    stride, spread = rng.uniform(0, 0.2) * h, rng.uniform(0.0, 0.6)
    hips, shoulders = 0.5 * h, 0.82 * h
    legs = []
    for side in (-1, 1):
        foot = (side * 0.06 * h, side * stride, 0.03 * h)
        knee = (side * 0.06 * h, side * stride * 0.6 - 0.02, 0.27 * h)
        legs.append(tube(np.array([foot, knee, (side * 0.055 * h, 0, hips)]), np.array([0.03, 0.035, 0.05]) * h))
        legs.append(moved(sphere(0.04 * h, 10), (side * 0.06 * h, side * stride - 0.03 * h, 0), scale=(0.8, 1.8, 0.6)))
    torso = lathe(
        [(0.09 * h, hips), (0.085 * h, 0.6 * h), (0.11 * h, 0.75 * h), (0.1 * h, shoulders), (0.03 * h, 0.86 * h)], 14
    )
    torso = moved(torso, scale=(1.15, 0.7, 1))
    arms, hands = [], []
    for side in (-1, 1):
        reach = rng.uniform(-0.1, 0.35) * h
        elbow = (side * (0.14 + 0.1 * spread) * h, -reach * 0.3, 0.65 * h)
        hand = (side * (0.14 + 0.25 * spread) * h, -reach, (0.5 + 0.25 * max(reach, 0) / h) * h)
        arm = np.array([(side * 0.11 * h, 0, shoulders - 0.02 * h), elbow, hand])
        arms.append(tube(arm, np.array([0.035, 0.03, 0.02]) * h))
        hands.append(moved(sphere(0.025 * h, 8), (hand[0], hand[1], hand[2] - 0.025 * h)))
    head_parts = head(rng, 0.13 * h)
    turn = rng.uniform(-0.6, 0.6)
    lift = (0, 0, 0.865 * h)
    return {
        "skin": join([moved(head_parts["skin"], lift, turn), *hands]),
        "hair": moved(head_parts["hair"], lift, turn),
        "trousers": join(legs),
        "shirt": join([torso, *arms]),
        "eyes": moved(head_parts["eyes"], lift, turn),
    }


def head(rng: np.random.Generator, size: float) -> dict[str, Solid]:
    """A head of `size` metres from chin to crown, face towards -Y, on a short neck: skin, hair, eyes."""
    s = size
    skull = moved(blob(rng, 0.5 * s, 0.03, 24), (0, 0, 0.55 * s), scale=(0.76, 0.92, 1.0))
    jaw = moved(sphere(0.3 * s, 16), (0, -0.1 * s, 0.0), scale=(0.9, 1.0, 0.8))
    nose = moved(
        tilted(lathe([(0.09 * s, 0), (0.06 * s, 0.16 * s), (0.01, 0.26 * s)], 10), rng.uniform(-0.4, -0.2)),
        (0, -0.46 * s, 0.4 * s),
    )
    lips = moved(sphere(0.1 * s, 10), (0, -0.38 * s, 0.17 * s), scale=(1.2, 0.6, 0.4))
    brow = moved(sphere(0.12 * s, 12), (0, -0.37 * s, 0.62 * s), scale=(2.2, 0.6, 0.4))
    ears = [
        moved(sphere(0.1 * s, 10), (side * 0.38 * s, 0.03 * s, 0.42 * s), scale=(0.4, 0.8, 1.2)) for side in (-1, 1)
    ]
    cheeks = [
        moved(sphere(0.14 * s, 10), (side * 0.17 * s, -0.22 * s, 0.22 * s), scale=(1.1, 0.8, 1.1)) for side in (-1, 1)
    ]
    neck = tube(np.array([(0, 0.02, -0.35 * s), (0, 0.02, 0.2 * s)]), np.array([0.24, 0.22]) * s, 14)
    eyes = [moved(sphere(0.05 * s, 10), (side * 0.16 * s, -0.39 * s, 0.5 * s)) for side in (-1, 1)]
    cap = blob(rng, 0.52 * s, rng.uniform(0.02, 0.12), 22)
    long_hair = rng.random() < 0.5
    hair_parts = [moved(cap, (0, 0.09 * s, 0.68 * s), scale=(0.82, 0.9, 0.86))]
    if long_hair:
        fall = blob(rng, 0.5 * s, 0.12, 18)
        hair_parts.append(moved(fall, (0, 0.2 * s, 0.2 * s), scale=(1.0, 0.6, rng.uniform(0.9, 1.6))))
    return {
        "skin": join([skull, jaw, nose, lips, brow, neck, *ears, *cheeks]),
        "hair": join(hair_parts),
        "eyes": join(eyes),
    }


def bust(rng: np.random.Generator, size: float) -> dict[str, Solid]:
    """A head and shoulders, as in a portrait; the chin's height is about 1.6 times `size` above z = 0."""
    parts = head(rng, size)
    lift = (0, 0, 1.6 * size)
    shoulders = lathe([(0.95, 0), (1.0, 0.6), (0.95, 1.0), (0.5, 1.22), (0.26, 1.35)], 20)
    return {
        "skin": moved(parts["skin"], lift, rng.uniform(-0.5, 0.5)),
        "hair": moved(parts["hair"], lift),
        "eyes": moved(parts["eyes"], lift),
        "shirt": moved(shoulders, scale=(size * 1.15, size * 0.6, size)),
    }


def animal(rng: np.random.Generator, length: float) -> dict[str, Solid]:
    """A four-legged animal of `length` metres, head towards -Y: fur, eyes."""
    n = length
    leg_height = n * rng.uniform(0.25, 0.6)
    body = moved(blob(rng, 0.5 * n, 0.06, 18), (0, 0, leg_height + 0.15 * n), scale=(0.45, 1.0, 0.5))
    legs = [
        tube(
            np.array([(sx * 0.14 * n, sy * 0.33 * n, 0), (sx * 0.14 * n, sy * 0.33 * n, leg_height + 0.1 * n)]),
            np.array([0.04, 0.07]) * n,
        )
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    raised = leg_height + n * rng.uniform(0.2, 0.5)
    neck = tube(np.array([(0, -0.35 * n, leg_height + 0.15 * n), (0, -0.55 * n, raised)]), np.array([0.15, 0.1]) * n)
    tail = tube(
        np.array([(0, 0.45 * n, leg_height + 0.2 * n), (0, 0.7 * n, leg_height + rng.uniform(-0.2, 0.5) * n)]),
        np.array([0.05, 0.02]) * n,
    )
    face = animal_head(rng, 0.3 * n)
    place = (0, -0.6 * n, raised - 0.1 * n)
    return {
        "fur": join([body, neck, tail, moved(face["fur"], place), *legs]),
        "eyes": moved(face["eyes"], place),
    }


def animal_head(rng: np.random.Generator, size: float) -> dict[str, Solid]:
    """A head like a cat's, dog's or bear's, face towards -Y, about `size` metres wide, standing on z = 0."""
    s = size
    skull = moved(blob(rng, 0.5 * s, 0.05, 26), (0, 0, 0.5 * s), scale=(1.0, 0.85, 0.9))
    snout = moved(blob(rng, 0.22 * s, 0.05, 16), (0, -0.36 * s, 0.34 * s), scale=(1.0, rng.uniform(0.8, 2.2), 0.75))
    ears = []
    pointed = rng.random() < 0.7
    for side in (-1, 1):
        ear = (
            lathe([(0.17 * s, 0), (0.14 * s, 0.12 * s), (0.01 * s, 0.34 * s)], 12) if pointed else sphere(0.15 * s, 12)
        )
        ears.append(moved(tilted(moved(ear, scale=(1, 0.45, 1)), side * 0.35, axis=1), (side * 0.3 * s, 0, 0.8 * s)))
    eyes = [moved(sphere(0.07 * s, 12), (side * 0.2 * s, -0.36 * s, 0.5 * s)) for side in (-1, 1)]
    return {"fur": join([skull, snout, *ears]), "eyes": join(eyes)}


def slumped(rng: np.random.Generator, size: float) -> Solid:
    """A lying body of an animal seen as one mound of fur."""
    mound = blob(rng, size, 0.15, 22)
    return moved(mound, (0, 0, size * 0.3), rng.uniform(0, 2 * math.pi), (1.6, 0.8, 0.6))
