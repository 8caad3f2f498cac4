"""The steps of a Containerfile, done in roots instead of by a container runtime: as much of its words as ours uses."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Run = Callable[..., str]
_HEALTHY_WITHIN, _STOPPED_WITHIN = 60.0, 10.0


@dataclass
class Image:
    """What the last stage came to. `size` in bytes is what its steps brought into the root."""

    user: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    """Of its stage: what ARG says, or whoever builds it."""
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    healthcheck: Sequence[str] = ()
    command: list[str] = field(default_factory=list)
    size: int = 0

    @classmethod
    def made(
        cls,
        context: Path,
        file: Path,
        roots: Sequence[Path],
        runs: Sequence[Run],
        arguments: Mapping[str, str] | None = None,
    ) -> Image:
        """One root for each FROM, which has what the base image has; `runs` run a command in them; `arguments` are
        those of --build-arg.
        """
        stages: dict[str, Path] = {}
        image, stage = cls(), -1
        for word, rest in _instructions(file):
            if word == "FROM":
                stage, image = stage + 1, cls()
                stages[rest.partition(" AS ")[2]] = roots[stage]
            elif word == "ARG":
                name, _, default = rest.partition("=")
                image.arguments[name] = (arguments or {}).get(name, default)
            else:
                image._step(word, rest, context, stages, roots[stage], runs[stage])
        return image

    def _step(
        self, word: str, rest: str, context: Path, stages: Mapping[str, Path], root: Path, run: Run
    ) -> None:
        if word == "RUN":
            given = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", **self.arguments}
            exported = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
            run("sh", "-ec", f"cd {shlex.quote(self.workdir)}; export {exported}; {rest}")
        elif word == "COPY":
            *options, source, target = rest.split()
            into = root / target.lstrip("/")
            if options:
                origin = stages[options[0].removeprefix("--from=")] / source.lstrip("/")
                subprocess.run(["cp", "-a", f"{origin}/.", str(_made(into))], check=True)  # noqa: S603, S607
                self.size += sum(each.lstat().st_size for each in into.rglob("*"))
            else:
                _copy_context(context, _made(into))
        elif word == "WORKDIR":
            self.workdir = rest
            _made(root / rest.lstrip("/"))
        elif word == "ENV":
            self.environment |= dict(each.split("=", 1) for each in shlex.split(rest))
        elif word == "USER":
            self.user = rest
        elif word == "HEALTHCHECK":
            self.healthcheck = json.loads(rest[rest.index("[") :])
        elif word in ("ENTRYPOINT", "CMD"):
            self.command += json.loads(rest)

    def runs_read_only(self, root: Path) -> float:
        """Starts it as its user with a root that it cannot write, but for /tmp and the volume; waits until its health
        check says yes; sends SIGTERM. Returns after how many seconds it had ended. Raises SystemExit.
        """
        here = shlex.quote(str(root))
        mounts = (
            f"mount --bind {here} {here}; mount -o remount,ro,bind {here}; mount -t tmpfs tmpfs {here}/tmp;"  # noqa: S108  (in the root)
            f" mount --bind {here}/var/lib/syncd {here}/var/lib/syncd; mount -o remount,rw,bind {here}/var/lib/syncd;"
            f" mount -t proc proc {here}/proc; exec chroot --userspec={self.user} {here} "
        )
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        inside = shlex.join(["env", "-i", *environment, *self.command])
        with subprocess.Popen(  # noqa: S603
            ["unshare", "--mount", "sh", "-ec", mounts + inside],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            healthy = self._is_healthy(root, process)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=3 * _STOPPED_WITHIN)
            seconds = time.monotonic() - began
        if not healthy or process.returncode != 0 or seconds > _STOPPED_WITHIN:
            raise SystemExit(
                f"✗ the image: healthy {healthy}, exit {process.returncode}, {seconds:.1f} s\n{said}"
            )
        return seconds

    def _is_healthy(self, root: Path, process: subprocess.Popen[str]) -> bool:
        until = time.monotonic() + _HEALTHY_WITHIN
        command = ["chroot", f"--userspec={self.user}", str(root), *self.healthcheck]
        while time.monotonic() < until and process.poll() is None:
            done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
            if done.returncode == 0:
                return True
            time.sleep(0.5)
        return False


def _instructions(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _copy_context(context: Path, into: Path) -> None:
    """What .containerignore lets through."""
    for line in (context / ".containerignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("!"):
            source, target = context / line[1:], into / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, target, symlinks=True, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)
