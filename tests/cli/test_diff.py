"""`bvit-hw diff`: two reports side by side."""

from __future__ import annotations


