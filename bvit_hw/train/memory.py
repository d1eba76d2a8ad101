"""Keeps freed memory in the process, so that every step does not have its pages mapped and zeroed anew (CPU, glibc)."""

from __future__ import annotations

import ctypes
import logging

log = logging.getLogger(__name__)

# From malloc.h; the largest thresholds that glibc takes.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_TRIM, _MMAP = 2**31 - 1, 2**25


def keep_freed_memory() -> bool:
    """Tell the allocator to reuse blocks of up to 32 MiB rather than hand them back; whether it listens.

    Tensors are made and freed by the hundred in a step. A page that has been handed back costs a fault on its next use,
    which on virtual machines may take longer than the arithmetic on it. Results do not change.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        log.debug("no glibc: memory is managed as the system does")
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _MMAP)) and bool(mallopt(_M_TRIM_THRESHOLD, _TRIM))
