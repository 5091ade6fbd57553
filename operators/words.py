# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations and sizes as people read them. Used by the job list and the panels."""


def duration(seconds: float) -> str:
    """“12 s”, “4 min”, “2 h 10 min”."""
    if seconds < 99.5:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """“850 MB”, “2.6 GB”, as disks and downloads are counted."""
    return f"{count / 1e9:.1f} GB" if count >= 0.95e9 else f"{max(count / 1e6, 1):.0f} MB"
