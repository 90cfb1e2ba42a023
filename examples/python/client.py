"""A client in one file: follows the feed and resumes, predicts, publishes.

python client.py ADDRESS follow TOKEN_FILE SECONDS [--async]
python client.py ADDRESS predict SYMBOL…
python client.py ADDRESS publish FILE

GLASSTAPE_TOKEN is the token and GLASSTAPE_CA the file of the certificate authority, where they are set.
`glasstape conformance 'python client.py {address} {action} {token} {seconds}'` checks it.
"""

import asyncio
import json
import os
import sys
import threading
from datetime import datetime
from pathlib import Path

from glasstape import AsyncClient, Bar, Client, Event, EventBatch, GlasstapeError, StreamMessage, Tls


def options() -> dict[str, object]:
    """Return the token and the certificates of the environment."""
    found: dict[str, object] = {}
    if token := os.environ.get("GLASSTAPE_TOKEN"):
        found["token"] = token
    if authority := os.environ.get("GLASSTAPE_CA"):
        found["tls"] = Tls(root_certificates=Path(authority).read_bytes())
    return found


def show(event: Event) -> None:
    """Print an event as a line of JSON."""
    about = {"sequence": event.sequence, "kind": event.kind.value, "symbol": event.symbol}
    print(json.dumps({**about, "model": event.model.name}), flush=True)


def stored_token(file: Path) -> bytes:
    """Return the token of the last message that was handled; empty: none."""
    return file.read_bytes() if file.exists() else b""


def handle(message: StreamMessage, token: bytes, file: Path) -> None:
    """Print the events of a message, and then store its token."""
    if isinstance(message, EventBatch):
        for event in message.events:
            show(event)
    file.write_bytes(token)


def follow(address: str, file: Path, seconds: float) -> None:
    """Print every event for some seconds."""
    with Client(address, **options()) as client:
        stream = client.signals(resume_token=stored_token(file), delivery="every_event")
        threading.Timer(seconds, stream.close).start()
        for message in stream.messages():
            handle(message, stream.resume_token, file)


async def follow_async(address: str, file: Path, seconds: float) -> None:
    """Do the same on an event loop."""
    async with AsyncClient(address, **options()) as client:
        stream = client.signals(resume_token=stored_token(file), delivery="every_event")
        try:
            async with asyncio.timeout(seconds):
                async for message in stream.messages():
                    handle(message, stream.resume_token, file)
        except TimeoutError:
            await stream.close()


def predict(address: str, symbols: list[str]) -> None:
    """Print the probability of UP of each symbol, or what is wrong with it."""
    with Client(address, **options()) as client:
        for prediction in client.predict(symbols=symbols):
            line: dict[str, object] = {"symbol": prediction.symbol}
            if prediction.confidence is None:
                line["problem"] = str(prediction.error)
            else:
                line |= {"up": prediction.confidence.up, "model": prediction.model.name}
            print(json.dumps(line))


def publish(address: str, file: Path) -> int:
    """Publish the bars of a file; return 1 if some were rejected."""
    bars = []
    for line in file.read_text().splitlines():
        symbol, interval, close_time, *values = line.split()
        opening, high, low, close, volume = map(float, values)
        bars.append(
            Bar(
                symbol=symbol, interval=interval, close_time=datetime.fromisoformat(close_time), open=opening,
                high=high, low=low, close=close, volume=volume,
            )
        )  # fmt: skip
    with Client(address, **options()) as client:
        report = client.publish_bars(bars)
    for rejection in report.rejections:
        print(f"{rejection.symbol}: {rejection.error}", file=sys.stderr)
    print(json.dumps({"stored": report.stored}))
    return 1 if report.rejections else 0


def main(arguments: list[str]) -> int:
    """Run one action; return the exit status."""
    address, action, *rest = arguments
    if action == "follow":
        file, seconds = Path(rest[0]), float(rest[1])
        if "--async" in rest:
            asyncio.run(follow_async(address, file, seconds))
        else:
            follow(address, file, seconds)
        return 0
    if action == "publish":
        return publish(address, Path(rest[0]))
    predict(address, rest)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GlasstapeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
