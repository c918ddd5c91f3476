"""A network of this machine's own: hosts that are network namespaces on one bridge, and a cable that can be pulled.

The first host holds the bridge. A thread that is `inside` it opens its sockets there, and what it starts is there too,
so a test can have its database and its newspaper on that host without leaving its process. Addresses are of
10.77.0.0/24 and reach nothing outside; nothing of the machine's own network is touched.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
PREFIX = "10.77.0."


def impossible() -> str | None:
    """Why there can be no such network here; None when there can."""
    if os.geteuid():
        return "network namespaces are for root"
    if shutil.which("ip") is None:
        return "there is no program `ip`"
    name = f"news-{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode:
        return f"no network namespaces here: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


class Network:
    """Hosts of these names; the first has the address .1 and the bridge, the others .2, .3, …"""

    def __init__(self, names: Sequence[str]) -> None:
        self._spaces = {name: f"news-{os.getpid()}-{name}" for name in names}
        self._addresses = {name: f"{PREFIX}{number}" for number, name in enumerate(names, 1)}
        self._first, *self._others = names
        self._stack = ExitStack()

    def __enter__(self) -> Network:
        with self._stack as stack:
            for space in self._spaces.values():
                _ip("netns", "add", space)
                stack.callback(_ip, "netns", "del", space)
                _ip("-n", space, "link", "set", "lo", "up")
            hub = self._spaces[self._first]
            _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
            _ip("-n", hub, "address", "add", f"{self.address(self._first)}/24", "dev", "bridge")
            _ip("-n", hub, "link", "set", "bridge", "up")
            for name in self._others:
                space = self._spaces[name]
                _ip("-n", hub, "link", "add", name, "type", "veth", "peer", "name", "cable", "netns", space)
                _ip("-n", space, "address", "add", f"{self.address(name)}/24", "dev", "cable")
                _ip("-n", space, "link", "set", "cable", "up")
                _ip("-n", hub, "link", "set", name, "up")
                self.join(name)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def address(self, name: str) -> str:
        """The address of a host."""
        return self._addresses[name]

    def cut(self, name: str) -> None:
        """Packets to and from the host are lost from now on, and nobody is told."""
        _ip("-n", self._spaces[self._first], "link", "set", name, "nomaster")

    def join(self, name: str) -> None:
        """The host can be reached again."""
        _ip("-n", self._spaces[self._first], "link", "set", name, "master", "bridge")

    def on(self, name: str) -> list[str]:
        """What to put before a command that is to run on the host; it becomes that process."""
        return ["ip", "netns", "exec", self._spaces[name]]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and whatever it starts, is on the first host."""
        with Path("/proc/thread-self/ns/net").open() as before:
            with Path(f"/run/netns/{self._spaces[self._first]}").open() as there:
                _set(there.fileno())
            try:
                yield
            finally:
                _set(before.fileno())


def _set(fd: int) -> None:
    """os.setns of Python 3.12."""
    library: Any = ctypes.CDLL(None, use_errno=True)
    if library.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
