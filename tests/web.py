"""A web server of a test's own."""

import threading
from contextlib import contextmanager


@contextmanager
def serving(server):
    """The server at work in a thread; whatever waits for its event `let_go` goes on at the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
