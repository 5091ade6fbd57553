# SPDX-License-Identifier: GPL-3.0-or-later
"""What a depth map tells by itself of its shift, its focal length and its floor, in numpy only.

`calibrate.self_calibrate` is the entry; `result` says what comes out.
"""
