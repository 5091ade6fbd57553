# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes as people read them. Used by `status`, `plan` and the command line."""

from __future__ import annotations


def gigabytes(count: int) -> str:
    """“850 MB”, “2.7 GB”: decimal units, as shops and most file managers print them."""
    if count >= 995_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{max(1, round(count / 1e6))} MB" if count else "0 MB"
