"""Write docs/reference/errors.md from the comments of `ErrorReason`.

python docs/tools/error_reasons.py          write the page
python docs/tools/error_reasons.py --check  fail if it differs from what would be written
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto/glasstape/v1/errors.proto"
PAGE = ROOT / "docs/reference/errors.md"
PREFIX = "ERROR_REASON_"

HEAD = """# Error reasons

Generated from `proto/glasstape/v1/errors.proto` by `python docs/tools/error_reasons.py`.

A call that fails carries a canonical gRPC code and one `google.rpc.ErrorInfo` (domain `glasstape`) whose
`reason` is one of these. An item that fails carries a `Problem` with the same code and reason. Messages name
field, rule and value; programs should read the reason.

| reason | code | retry | meaning |
|---|---|---|---|
"""


class Reason(NamedTuple):
    """One value of the enum with what its comment states."""

    name: str
    code: str
    retry: str
    text: str


def reasons() -> list[Reason]:
    """Return the reasons in the order of the file.

    Raises:
        ValueError: a comment does not begin with "CODE; when to retry. ".
    """
    body = PROTO.read_text().split("enum ErrorReason {")[1].split("\n}")[0]
    found = []
    for comment, name in re.findall(r"((?:  // .*\n)+)  " + PREFIX + r"([A-Z_]+) = \d+;", body):
        text = " ".join(line.strip().removeprefix("// ") for line in comment.strip().split("\n"))
        parts = re.fullmatch(r"([A-Z_]+); (.*?)\. (.*)", text)
        if parts is None:
            raise ValueError(f"{name}: the comment must begin with 'CODE; when to retry. ', is {text!r}")
        found.append(Reason(name, *parts.groups()))
    return found


def page() -> str:
    """Return the page."""
    rows = [
        f"| `{reason.name}` | {reason.code} | {reason.retry} | {reason.text} |"
        for reason in reasons()
        if reason.name != "UNSPECIFIED"
    ]
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Write or check the page; returns the exit status."""
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text() == page():
            return 0
        print(f"stale: {PAGE.relative_to(ROOT)} (run `python docs/tools/error_reasons.py`)")
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
