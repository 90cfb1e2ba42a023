"""Virtual environments of the peers, created once and kept."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TORCH = "torch==2.13.0"


def python_of(name: str, requirements: Sequence[str], folder: Path) -> Path:
    """Return the Python of a peer's environment; creating a missing environment takes minutes.

    Args:
        name: of the peer.
        requirements: pinned packages beside torch.
        folder: parent folder of the environments.

    Raises:
        ValueError: its packages cannot be installed; holds the end of pip's output.
    """
    home = folder / name
    python, stamp = home / "bin" / "python", home / "glasstape-requirements.txt"
    wanted = "\n".join([*requirements, TORCH])
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    print(f"installing {name} …", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements, TORCH]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join(done.stderr.split()[-40:])
        raise ValueError(f"{name}: its packages cannot be installed: {words}")
    stamp.write_text(wanted)
    return python


def packages_of(python: Path) -> Path:
    """Return the site-packages folder of an environment."""
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"
