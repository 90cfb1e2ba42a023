"""Fork again and again while clients are used; run as a program: fork_rounds.py ADDRESS KIND MADE USED STREAM ROUNDS.

KIND: sync, async; MADE: before, after the fork; USED: used, unused before it; STREAM: none, open, read (by a thread).
Prints one line for each different outcome of a round: exit status of the child ("hang" after 10 s), and the parent's.
A child exits with 0 when its call worked, with 3 when it raised a GlasstapeError of the fork at once.
"""

import asyncio
import os
import sys
import threading
import time

from glasstape import AsyncClient, Client, PreconditionError

ADDRESS, KIND, MADE, USED, STREAM, ROUNDS = sys.argv[1:]
LOOP = asyncio.new_event_loop() if KIND == "async" else None
TIMEOUT = 5.0


def client():
    """A client in the state that the arguments name, and what its stream yields."""
    if LOOP is not None:
        return LOOP.run_until_complete(async_client())
    made, messages = Client(ADDRESS, timeout=TIMEOUT), None
    if USED == "used":
        made.model()
    if STREAM != "none":
        messages = made.signals(heartbeat_interval=0.2).messages()
        next(messages)
    if STREAM == "read":
        threading.Thread(target=list, args=(messages,), daemon=True).start()
        time.sleep(0.05)
    return made, messages


async def async_client():
    made, messages = AsyncClient(ADDRESS, timeout=TIMEOUT), None
    if USED == "used":
        await made.model()
    if STREAM != "none":
        messages = made.signals(heartbeat_interval=0.2).messages()
        await anext(messages)
    return made, messages


def call(made):
    return made.model() if LOOP is None else LOOP.run_until_complete(made.model())


def child(made, messages):
    """What the forked process does; returns its exit status."""
    begin = time.monotonic()
    try:
        if MADE == "after":
            made, messages = client()
        call(made)
        if MADE == "before" and STREAM == "open" and messages is not None:
            next(messages)
            return 4  # the stream belongs to the parent
        return 0
    except PreconditionError as error:
        at_once = time.monotonic() - begin < TIMEOUT / 2
        return (0 if "open one in this process" in str(error) else 3) if at_once else 5


def exit_status(process):
    for _ in range(1000):
        pid, status = os.waitpid(process, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, 9)
    os.waitpid(process, 0)
    return "hang"


def main():
    outcomes = set()
    for _ in range(int(ROUNDS)):
        made, messages = client()
        process = os.fork()
        if process == 0:
            sys.exit(child(made, messages))
        status = exit_status(process)
        call(made)
        if LOOP is None:
            if STREAM == "open":
                next(messages)
            made.close()
        else:
            if STREAM == "open":
                LOOP.run_until_complete(anext(messages))
            LOOP.run_until_complete(made.close())
        outcomes.add(status)
    print(*sorted(outcomes, key=str))


main()
