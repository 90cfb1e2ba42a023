"""Three brokers and three servers on this machine, any of which may be killed, frozen or stopped."""

import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from brokers import BrokerCluster
from glasstape import Client, GlasstapeError
from running import ServerProcess

TABLES = {
    "bars.sqlite": ("bars", "instruments", "corrections", "stream"),
    "journal.sqlite": ("events", "windows", "progress", "models"),
}


class ClusterOfThree:
    """Starts with three of each; ends all."""

    def __init__(self, folder, **options):
        self.brokers = BrokerCluster(folder / "nats")
        self._folder = folder
        self._options = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self.servers = []

    def __enter__(self):
        try:
            self.brokers.start()
            flags = ("--cluster", self.brokers.url, "--wire", "grpcio", *self._options)
            self.servers = [ServerProcess(self.folder(number), *flags) for number in range(3)]
            with ThreadPoolExecutor(3) as starting:
                list(starting.map(ServerProcess.start, self.servers))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
                server.kill()
        self.brokers.stop()

    def restart(self, server):
        server.log.clear()  # what it said before is no longer true
        server.start()

    def folder(self, number):
        return self._folder / f"server-{number}"

    @property
    def address(self):
        return ",".join(server.address for server in self.servers)

    def leader(self, seconds=15):
        """The server that said last that it leads."""
        deadline = time.monotonic() + seconds
        while True:
            leads = [server for server in self.servers if _leads(server)]
            if leads:
                return leads[0]
            assert time.monotonic() < deadline, [line for server in self.servers for line in server.log[-5:]]
            time.sleep(0.02)

    def caught_up(self, head, seconds=30):
        """Wait until every server has published an event."""
        deadline = time.monotonic() + seconds
        for server in self.servers:
            with Client(server.address) as client:
                while _head(client) < head:
                    assert time.monotonic() < deadline, server.log[-10:]
                    time.sleep(0.02)

    def projections(self):
        """What each server holds on disk, once all have stopped."""
        return [
            {
                (file, table): _rows(self.folder(number) / "cluster" / file, table)
                for file, tables in TABLES.items()
                for table in tables
            }
            for number in range(3)
        ]


def _head(client):
    try:
        newest = next(iter(client.history(descending=True)), None)
    except GlasstapeError:
        return -1
    return 0 if newest is None else newest.sequence


def _leads(server):
    if server.process.poll() is not None:
        return False
    told = [line for line in server.log if "leadership: " in line]
    return bool(told) and "this server leads" in told[-1]


def _rows(path, table):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()
