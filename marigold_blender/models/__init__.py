# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models there are and where they lie on disk. Standard library only: Blender's panels list them."""
