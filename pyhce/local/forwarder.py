"""A program that forwards the connections of each group's address to its leader.

`pyhce up --standbys` starts it. It imports nothing of pyhce, so that it starts fast and runs from anywhere.

It asks the leader's Patroni whether it still leads, and the others when it does not. Connections to a former leader are
cut, so that no client goes on talking to it. While no member leads, connections are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import resource
import sys
from typing import Any

INTERVAL = 0.5
"""Seconds between two questions to a leader."""
SEARCH_INTERVAL = 0.1
"""Seconds between two questions to every member while none leads."""
TIMEOUT = 2.0
CHUNK = 1 << 16

Member = dict[str, Any]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Forwarder:
    """Forwards the connections of one group's address.

    Args:
        group: a group of the file of groups.
    """

    def __init__(self, group: dict[str, Any]) -> None:
        self.name: str = group["name"]
        self.port: int = group["port"]
        self.members: list[Member] = group["members"]
        self.leader: Member | None = None
        self._writers: dict[asyncio.StreamWriter, Member] = {}

    async def watch(self) -> None:
        """Follow the leader until the program ends."""
        while True:
            if self.leader is None or await _leads(self.leader) != "yes":
                await self._search()
            await asyncio.sleep(INTERVAL if self.leader else SEARCH_INTERVAL)

    async def _search(self) -> None:
        answers = await asyncio.gather(*(_leads(member) for member in self.members))
        claims = [member for member, answer in zip(self.members, answers, strict=True) if answer == "yes"]
        silent = [member for member, answer in zip(self.members, answers, strict=True) if answer == "silent"]
        if claims:
            self._follow(next((m for m in claims if m is not self.leader), claims[0]))
        elif self.leader not in silent:  # a leader whose Patroni does not answer may still serve, until another leads
            self._follow(None)

    def _follow(self, leader: Member | None) -> None:
        if leader is self.leader:
            return
        print(f"{self.name}: {leader['name'] if leader else 'no member'} leads", flush=True)
        self.leader = leader
        for writer, member in list(self._writers.items()):
            if member is not leader:
                writer.transport.abort()

    async def serve(self, client: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side ends it."""
        writers = [client_writer]
        with contextlib.suppress(OSError, TimeoutError):
            leader = self.leader
            if leader is not None:
                server, server_writer = await asyncio.wait_for(
                    asyncio.open_connection(leader["host"], leader["port"]), TIMEOUT
                )
                writers.append(server_writer)
                if leader is self.leader:
                    self._writers |= dict.fromkeys(writers, leader)
                    await _pump_both((client, client_writer), (server, server_writer))
        for writer in writers:
            self._writers.pop(writer, None)
            writer.close()


async def _pump_both(client: Streams, server: Streams) -> None:
    """Copy in both directions until one of them ends."""
    pumps = [asyncio.ensure_future(_pump(client[0], server[1])), asyncio.ensure_future(_pump(server[0], client[1]))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def _leads(member: Member) -> str:
    """Whether a member holds the leader's lock: yes or no; silent if its Patroni does not answer."""
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(member["host"], member["rest_port"])
            try:
                writer.write(b"GET /primary HTTP/1.0\r\n\r\n")
                status = (await reader.readline()).split()
                await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return "silent"
    return "silent" if len(status) < 2 else "yes" if status[1] == b"200" else "no"


async def run(groups: list[dict[str, Any]], uid: int, gid: int) -> None:
    """Listen at the address of each group, then forward as an unprivileged account."""
    forwarders = [Forwarder(group) for group in groups]
    for forwarder in forwarders:
        for host in ("127.0.0.1", "::1"):
            try:
                await asyncio.start_server(forwarder.serve, host, forwarder.port)
            except OSError as error:
                if error.errno == errno.EADDRINUSE or host == "127.0.0.1":
                    raise
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    await asyncio.gather(*(forwarder.watch() for forwarder in forwarders))


def main() -> None:
    """Run with the path of the file of groups, a user id and a group id as arguments."""
    path, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(path, encoding="utf-8") as file:
        groups = json.load(file)["groups"]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(run(groups, uid, gid))


if __name__ == "__main__":
    main()
