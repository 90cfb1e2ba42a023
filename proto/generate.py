"""Generate the Python stubs from the .proto files, and check that they and the baseline are true.

    python proto/generate.py             write the stubs
    python proto/generate.py --check     fail if a committed stub differs from what would be written
    python proto/generate.py --baseline  replace the baseline of the breaking-change check

The generator is grpcio-tools as pinned in constraints.txt: its version sets the lowest grpcio and
protobuf that the SDK can run on, so it is older than the newest on purpose.
"""

import argparse
import filecmp
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

PROTO = Path(__file__).resolve().parent
ROOT = PROTO.parent
SDK = ROOT / "client_py"
SERVER = ROOT / "server"
BASELINE = PROTO / "baseline.binpb"
FACADE = "glasstape_server/rpc/oip"


def protoc(include: list[str], files: list[str], out: Path) -> None:
    """Run the pinned protoc with the mypy plugins. Raises CalledProcessError if it fails."""
    from grpc_tools import protoc as grpc_protoc

    well_known = str(resources.files("grpc_tools") / "_proto")
    arguments = ["protoc", *(f"-I{path}" for path in [*include, well_known])]
    arguments += [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    if grpc_protoc.main([*arguments, *files]) != 0:
        raise SystemExit(f"protoc failed for {', '.join(files)}")


def generate(sdk: Path, server: Path) -> list[Path]:
    """Write every stub below `sdk` and `server`; returns them relative to those two folders."""
    contract = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "glasstape").rglob("*.proto"))
    protoc([str(PROTO), str(PROTO / "vendor")], contract, sdk)
    # A virtual include path gives the facade's module its place inside the server package.
    protoc([f"{FACADE}={PROTO / 'vendor/inference'}"], [f"{FACADE}/open_inference.proto"], server)
    written = [*sdk.rglob("*_pb2*"), *server.rglob("*_pb2*")]
    return [path for path in written if "__pycache__" not in path.parts]


def check() -> int:
    """Compare the committed stubs with fresh ones; returns the number that differ."""
    stale = 0
    with tempfile.TemporaryDirectory() as folder:
        sdk, server = Path(folder, "sdk"), Path(folder, "server")
        sdk.mkdir()
        server.mkdir()
        for fresh in generate(sdk, server):
            base = sdk if fresh.is_relative_to(sdk) else server
            committed = (SDK if base is sdk else SERVER) / fresh.relative_to(base)
            if not committed.exists() or not filecmp.cmp(fresh, committed, shallow=False):
                print(f"stale: {committed.relative_to(ROOT)} (run `make proto`)")
                stale += 1
    return stale


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="fail if a committed stub is stale")
    parser.add_argument("--baseline", action="store_true", help="replace the breaking-change baseline")
    options = parser.parse_args()
    if options.check:
        return 1 if check() else 0
    generate(SDK, SERVER)
    if options.baseline:
        subprocess.run(["buf", "build", "--path", "glasstape", "-o", str(BASELINE)], cwd=PROTO, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
