# SPDX-License-Identifier: GPL-3.0-or-later
"""The *Best* depth of field: blurs a sharp picture by its depth, with occlusion. torch; runs in the worker."""
