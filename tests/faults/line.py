"""The line between a box and its server: a proxy on loopback that can be cut."""

from __future__ import annotations

import asyncio
from contextlib import suppress

BLOCK_BYTES = 65_536


class Line:
    """Forwards TCP connections to one port; while it is cut, open ones are torn and new ones refused at once."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._open: set[asyncio.StreamWriter] = set()
        self._cut = False
        self._server: asyncio.Server | None = None
        self.cuts = 0
        self.torn = 0

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def cut_for(self, seconds: float) -> None:
        """Tear what is open, refuse what comes, and be whole again after that time."""
        self.cuts += 1
        self._cut = True
        self.torn += len(self._open)
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(seconds)
        self._cut = False

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, to_writer}
        try:
            await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))
        finally:
            for end in (writer, to_writer):
                self._open.discard(end)
                end.close()

    async def close(self) -> None:
        """Stop listening and tear what is left."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
    with suppress(OSError):
        writer.close()
