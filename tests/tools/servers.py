"""What the tools here share: servers of their own on free ports of the loopback, and connections that speak the protocol."""
import os
import shlex
import signal
import socket
import subprocess
import time

PATIENCE = 60


def free_port():
    """A port that the kernel chose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(words):
    """The bytes of one request."""
    data = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in data)


class Refused(RuntimeError):
    """An error reply."""


class Link:
    """A connection. Replies are text, numbers, None, lists and dicts; an error reply is raised."""

    def __init__(self, port, timeout=PATIENCE):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")

    def ask(self, *words):
        self.socket.sendall(request(words))
        return self.reply()

    def many(self, requests):
        """Sends all at once; gives the replies, errors as Refused."""
        self.socket.sendall(b"".join(map(request, requests)))
        return [self.reply_or_error() for _ in requests]

    def reply_or_error(self):
        try:
            return self.reply()
        except Refused as error:
            return error

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the connection was closed")
        kind, rest = line[:1], line[1:-2].decode(errors="replace")
        if kind == b"-":
            raise Refused(rest)
        if kind == b":":
            return int(rest)
        if kind == b"_":
            return None
        if kind in b"$=":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind in b"*~>":
            # errors inside of an array are elements of it
            return None if rest == "-1" else [self.reply_or_error() for _ in range(int(rest))]
        if kind == b"%":
            return {self.reply(): self.reply_or_error() for _ in range(int(rest))}
        return rest

    def close(self):
        self.file.close()
        self.socket.close()


class Server:
    """A server in a folder of its own. `command` is a line of the shell that may hold {port} and {dir}."""

    def __init__(self, folder, command):
        self.folder, self.port, self.process = folder, free_port(), None
        os.makedirs(folder, exist_ok=True)
        self.argv = shlex.split(command.format(port=self.port, dir=folder)) + ["--bind", "127.0.0.1"]

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.argv, cwd=self.folder, stdout=log, stderr=log)
        until(lambda: self.ask("PING") == "PONG", f"it does not answer: {shlex.join(self.argv)}")
        return self

    def ask(self, *words):
        link = Link(self.port)
        try:
            return link.ask(*words)
        finally:
            link.close()

    def info(self):
        """INFO everything: field -> text."""
        lines = self.ask("INFO", "everything").split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def stop(self, how=signal.SIGKILL):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None


def until(done, what, patience=PATIENCE):
    """Waits until `done()` is true, whatever it raises before."""
    end = time.monotonic() + patience
    while True:
        try:
            if done():
                return
        except (OSError, Refused, ValueError, IndexError, KeyError):
            pass
        if time.monotonic() > end:
            raise AssertionError(what)
        time.sleep(0.05)
