"""The HTTP protocol of the server, with one addition: the application may close the connection."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.wire import DROP


class DroppingProtocol(HttpToolsProtocol):
    """uvicorn's protocol; ASGI has no word for losing a connection, so it is given as an extension."""

    def on_message_begin(self) -> None:
        """Start a request, and offer the extension to it."""
        super().on_message_begin()
        self.scope["extensions"] = {DROP: {"close": self._drop}}

    def _drop(self) -> None:
        # close() still sends what was written, so a truncated body arrives truncated; marking the cycle as
        # disconnected keeps uvicorn from answering 500 in place of the application.
        self.transport.close()
        self.cycle.disconnected = True
