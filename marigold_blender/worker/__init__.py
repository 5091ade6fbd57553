# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process that computes, and the client that talks to it (from Blender, tests and scripts)."""
