# SPDX-License-Identifier: GPL-3.0-or-later


def register() -> None:
    pass


def unregister() -> None:
    pass
