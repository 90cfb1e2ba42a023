"""Recorded sessions: record the feed of a server, and replay it to any client.

    from glasstape import Client
    from glasstape.session import Recorder, SessionServer

    with Recorder("localhost:50551", "monday.session.gz"):
        ...                                    # records until the block ends
    with SessionServer("monday.session.gz", speed=10) as server, Client(server.address) as client:
        for event in client.signals():
            print(event.symbol)

`read_session` returns a session as values; `write_session` writes events as a session.
"""

from glasstape._session.player import SessionServer
from glasstape._session.reading import Session, read_session, write_session
from glasstape._session.recorder import Recorder

__all__ = ["Recorder", "Session", "SessionServer", "read_session", "write_session"]
