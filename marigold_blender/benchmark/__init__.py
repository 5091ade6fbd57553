# SPDX-License-Identifier: GPL-3.0-or-later
"""`marigold benchmark`: this estimator beside stock diffusers, on the same weights and pictures, in one run."""
