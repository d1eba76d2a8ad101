"""The releases of Vivado and Vitis that everything generated here is written for: said in this one place.

Needs nothing but the standard library, since ``bvit-hw doctor`` must start at once.
"""

from __future__ import annotations

#: newest last
RELEASES = ("2022.2", "2024.2")


def releases_text() -> str:
    """The releases as a sentence names them: ``2022.2 or 2024.2``."""
    return " or ".join(RELEASES)
