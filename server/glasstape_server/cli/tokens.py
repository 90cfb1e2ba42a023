"""`glasstape tokens`: manage the token file of a server."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from glasstape.cli.connect import add_json, print_json

from glasstape_server.cli.arguments import names, nonempty_path

HELP = "Create, list and revoke tokens of a server"
DAY = 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="create a token and print it, once", allow_abbrev=False)
    create.add_argument("--name", required=True, help="token owner")
    create.add_argument(
        "--scopes",
        type=names,
        required=True,
        metavar="A,B",
        help="of predict, explain, signals, publish, admin",
    )
    create.add_argument(
        "--days", type=float, default=90.0, help="lifetime in days, 0 = no expiry (default: %(default)g)"
    )
    create.add_argument(
        "--certificate",
        default="",
        metavar="NAME",
        help="grant the scopes to client certificates with this name (SAN) instead of a token",
    )
    create.add_argument(
        "--out",
        type=nonempty_path,
        metavar="FILE",
        help="write the token to this new file, readable by its owner only, instead of printing it",
    )
    revoke = actions.add_parser("revoke", help="revoke a token; its streams end within seconds")
    revoke.add_argument("id", help="id of the token, as printed by `glasstape tokens list`")
    listing = actions.add_parser("list", help="list tokens without their secrets")
    for each in (create, revoke, listing):
        each.add_argument(
            "--tokens", type=nonempty_path, required=True, metavar="FILE", help="token file of the server"
        )
        add_json(each)


def run(options: argparse.Namespace) -> int:
    """Run the command; return the exit status.

    Raises:
        BrokenPipeError: the reader of standard output has ended.
    """
    try:
        {"create": _create, "revoke": _revoke, "list": _list}[options.action](options)
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        print(f"glasstape tokens: {error}", file=sys.stderr)
        return 1
    return 0


def _create(options: argparse.Namespace) -> None:
    from glasstape_server.access.scopes import Scope
    from glasstape_server.access.tokens import TokenFile

    unknown = [scope for scope in options.scopes if scope not in set(Scope)]
    if unknown or not options.scopes:
        raise ValueError(f"scopes: must be of {', '.join(Scope)}, is {', '.join(unknown) or 'nothing'}")
    if not options.name.strip() or not options.name.isprintable() or len(options.name) > 100:
        raise ValueError(f"name: must be 1-100 printable characters, is {options.name[:100]!r}")
    if not 0 <= options.days <= 36_500:
        raise ValueError(f"days: must be 0-36500, is {options.days:g}")
    expires = time.time() + options.days * DAY if options.days else 0.0
    scopes = [Scope(scope) for scope in options.scopes]
    file = TokenFile(options.tokens)
    if options.out is not None:
        with _new_secret_file(options.out, options.certificate) as draft:
            grant, token = file.create(options.name, scopes, expires=expires)
            draft.write_text(f"{token}\n")
        if options.json:
            print_json({"id": grant.id, "out": str(options.out)})
        else:
            print(f"id {grant.id}; the token is in {options.out}")
        return
    if not options.certificate:
        _protect_standard_output()
    grant, token = file.create(options.name, scopes, expires=expires, certificate=options.certificate)
    if options.json:
        print_json({"id": grant.id, "token": token})
    elif token:
        print(f"{token}\n", end="")
        print(f"id {grant.id}; the token is not stored and cannot be shown again", file=sys.stderr)
    else:
        print(f"id {grant.id}: certificates with the name {grant.certificate}")


def _protect_standard_output() -> None:
    """Keep others from reading a file that the token is redirected to, or warn."""
    from glasstape_server.storage import files

    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file of the operating system
        return
    if warning := files.protect_output(descriptor):
        print(
            f"glasstape tokens: standard output {warning}; --out FILE writes the token only", file=sys.stderr
        )


@contextmanager
def _new_secret_file(path: Path, certificate: str) -> Iterator[Path]:
    """Yield a draft of a file that does not exist yet, before a token for it is created.

    Raises:
        ValueError: the file exists, or there is no token to write.
        OSError: the file cannot be written.
    """
    from glasstape_server.storage import files

    if certificate:
        raise ValueError("--out: a grant for a certificate has no token")
    if path.exists():
        raise ValueError(f"--out: {path} exists; pass a new file")
    with files.replacing(path, mode=files.PRIVATE) as draft:
        yield draft


def _revoke(options: argparse.Namespace) -> None:
    from glasstape_server.access.tokens import TokenFile

    grant = TokenFile(options.tokens).revoke(options.id)
    print(f"revoked {grant.id} of {grant.name}")


def _list(options: argparse.Namespace) -> None:
    from glasstape_server.access.tokens import TokenFile

    if not options.tokens.exists():
        raise ValueError(f"tokens: {options.tokens} does not exist; create it with `glasstape tokens create`")
    for grant in TokenFile(options.tokens).grants():
        row = {
            "id": grant.id,
            "name": grant.name,
            "scopes": [scope.value for scope in grant.scopes],
            "certificate": grant.certificate,
            "created": _day(grant.created),
            "expires": _day(grant.expires) if grant.expires else "never",
        }
        if options.json:
            print_json(row)
        else:
            kind = f"certificate {grant.certificate}" if grant.certificate else "token"
            print(
                f"{grant.id}  {grant.name:<20} {','.join(grant.scopes):<28} {kind}, "
                f"{row['created']} to {row['expires']}"
            )


def _day(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).date().isoformat()
