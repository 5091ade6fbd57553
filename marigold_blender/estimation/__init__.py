# SPDX-License-Identifier: GPL-3.0-or-later
"""Marigold's inference with torch: checkpoints, denoising, ensembling. Imported by the worker, never by Blender."""
