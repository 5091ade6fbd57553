"""The scenes of part 4's acceptance run, without Blender: `thin_lens_scenes` renders them, `part_4` reads them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LensScene:
    """A scene of a family and how it is focused.

    Attributes:
        blurred: what is out of focus: the background (focus on the nearest fifth) or the foreground (on the farthest).
        circle: diameter of the blur circle of the far or near end, as a share of the width.
        lit: by the family's own lamps and sky, at an hour of one core; else surfaces give their own light.
    """

    family: str
    index: int
    blurred: Literal["background", "foreground"]
    circle: float
    lit: bool = False

    @property
    def name(self) -> str:
        return f"{self.family}_{self.blurred}"


SCENES = (
    LensScene("rooms", 0, "background", 0.025, lit=True),
    LensScene("tabletops", 1, "foreground", 0.04, lit=True),
    LensScene("streets", 0, "background", 0.02),
    LensScene("closeups", 1, "foreground", 0.03),
    LensScene("terrain", 0, "background", 0.03),
    LensScene("corridors", 1, "foreground", 0.025),
    LensScene("tabletops", 0, "background", 0.04),
    LensScene("rooms", 1, "foreground", 0.03),
    LensScene("corridors", 0, "background", 0.02),
    LensScene("shelves", 1, "foreground", 0.015),
    LensScene("closeups", 0, "background", 0.03),
    LensScene("streets", 1, "foreground", 0.025),
    LensScene("shelves", 0, "background", 0.015),
    LensScene("terrain", 1, "foreground", 0.03),
)
