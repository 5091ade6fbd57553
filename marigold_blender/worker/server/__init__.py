# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: a request loop on the main thread, the computing on a thread behind it, results in a cache."""
