"""Files that survive a power failure and that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path


def open_private(path: str, flags: int) -> int:
    """Open a file with mode 0600, for `open(..., opener=open_private)`."""
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to disk, so that a new or renamed file survives a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
