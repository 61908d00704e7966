"""What is in a folder, to be compared with what is in it later."""

from __future__ import annotations

from pathlib import Path


def everything_in(folder: Path) -> dict[str, bytes | None]:
    """Every path below ``folder``, with the content of what is a file."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }
