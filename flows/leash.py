"""Run a command; once whoever holds standard input is gone, kill the whole process group.    python leash.py COMMAND

A flow that is killed with -9 can clean up nothing: without this its stage would go on, a second writer beside that of
the next run. Started by its path, it imports nothing of ours and is there in some hundredths of a second.
"""

import os
import signal
import subprocess
import sys
import threading


def watch() -> None:
    """Wait for the end of standard input; nobody writes to it."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def main(command: list[str]) -> int:
    """The command's exit status, 128 more than the signal where one killed it."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as child:
        threading.Thread(target=watch, daemon=True).start()
        status = child.wait()
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # the thread is still reading: an ordinary exit would wait for it
