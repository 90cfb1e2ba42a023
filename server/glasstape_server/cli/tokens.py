"""`glasstape tokens`: who may call a server, and what he may do."""

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from glasstape.cli.connect import add_json, print_json

from glasstape_server.cli.arguments import names

HELP = "make, list and revoke the tokens that a server asks for"
DAY = 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    create = what.add_parser("create", help="make a token; it is shown once", allow_abbrev=False)
    create.add_argument("--name", required=True, help="whose it is")
    create.add_argument(
        "--scopes", type=names, required=True, metavar="A,B", help="predict, explain, signals, publish, admin"
    )
    create.add_argument(
        "--days", type=float, default=90.0, help="until it expires; 0: never (default: %(default)g)"
    )
    create.add_argument(
        "--certificate",
        default="",
        metavar="NAME",
        help="no token: a client certificate with this name (SAN)",
    )
    revoke = what.add_parser("revoke", help="end a token; streams opened with it end within seconds")
    revoke.add_argument("id", help="as `glasstape tokens list` shows it")
    shown = what.add_parser("list", help="every token but its secret")
    for each in (create, revoke, shown):
        each.add_argument(
            "--tokens", type=Path, required=True, metavar="FILE", help="the server's file of tokens"
        )
        add_json(each)


def run(options: argparse.Namespace) -> int:
    """Do it; returns the exit status."""
    try:
        {"create": _create, "revoke": _revoke, "list": _list}[options.what](options)
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
    grant, token = TokenFile(options.tokens).create(
        options.name, scopes, expires=expires, certificate=options.certificate
    )
    if options.json:
        print_json({"id": grant.id, "token": token})
    elif token:
        print(f"{token}\n", end="")
        print(f"id {grant.id}; it is not kept anywhere and cannot be shown again", file=sys.stderr)
    else:
        print(f"id {grant.id}: certificates with the name {grant.certificate}")


def _revoke(options: argparse.Namespace) -> None:
    from glasstape_server.access.tokens import TokenFile

    grant = TokenFile(options.tokens).revoke(options.id)
    print(f"revoked {grant.id} of {grant.name}")


def _list(options: argparse.Namespace) -> None:
    from glasstape_server.access.tokens import TokenFile

    if not options.tokens.is_file():
        raise ValueError(f"tokens: there is no file {options.tokens}; `glasstape tokens create` makes one")
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
