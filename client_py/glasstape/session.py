"""Recorded sessions: write down what a server says, and play it again to any client.

    from glasstape import Client
    from glasstape.session import Recorder, SessionServer

    with Recorder("localhost:50551", "monday.session.gz"):
        ...                                    # for as long as it is to record
    with SessionServer("monday.session.gz", speed=10) as server, Client(server.address) as client:
        for event in client.signals():
            print(event.symbol)

`read_session` gives the same as values; `write_session` writes events of your own.
"""

from glasstape._session.player import SessionServer
from glasstape._session.reading import Session, read_session, write_session
from glasstape._session.recorder import Recorder

__all__ = ["Recorder", "Session", "SessionServer", "read_session", "write_session"]
