"""The Debian package: `python -m distribution.deb WHEEL DIRECTORY`. Needs dpkg-deb and an index of Python packages.

What syncd runs with lies in /opt/syncd, an environment of Debian's own Python: the versions of constraints.txt, each
file by its hash, wheels only. So the package is for one version of Python and one architecture, those of the machine
that builds it.
"""

from __future__ import annotations

import gzip
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from distribution.manual import pages

ROOT = Path(__file__).parents[1]
PYTHON = Path("/usr/bin/python3")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
HOME = Path("opt/syncd")
_COMMANDS = {"syncd": "syncd.__main__:main", "apprise": "apprise.cli:main"}
_LAUNCHER = """#!/opt/syncd/bin/python3
import sys

from {module} import {function}

sys.exit({function}())
"""
_CONTROL = """Package: {package}
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: {depends}
Section: admin
Priority: optional
{description}"""
_DESCRIPTION = """Description: Okta-side provisioning daemon for Split (Harness FME)
 Keeps the users and groups of Split equal to what Okta says, from your own
 machine: plans, applies and audits SCIM provisioning. A removal needs a second
 proof, and a mass removal stops and waits. Okta is only ever read.
"""
_MAINTAINER = "syncd maintainers <maintainers@localhost>"


def build(wheel: Path, into: Path) -> Path:
    """The package's file. Raises CalledProcessError, ValueError."""
    made_for = Release.of(wheel)
    file = into / made_for.file("syncd")
    with packed(file) as tree:
        _environment(tree, made_for.minor, wheel)
        _files_of_the_system(tree)
        _documentation(tree)
        _control(tree, made_for)
    return file


@dataclass(frozen=True)
class Release:
    """Of what, and for what: the version of syncd, Debian's word for the machine, and Python as "3.11"."""

    version: str
    architecture: str
    minor: str

    @classmethod
    def of(cls, wheel: Path) -> Release:
        """On this machine. Raises CalledProcessError, ValueError."""
        version, minor = _version_of(wheel), _minor()
        if minor != "{}.{}".format(*sys.version_info):
            raise ValueError(
                f"Debian's Python is {minor}, this one {platform.python_version()}: wheels would not fit"
            )
        return cls(version, _ARCHITECTURES[platform.machine()], minor)

    def file(self, package: str) -> str:
        """Its name."""
        return f"{package}_{self.version}_{self.architecture}.deb"


@contextmanager
def packed(file: Path) -> Iterator[Path]:
    """What is laid into the tree becomes this package."""
    with tempfile.TemporaryDirectory() as made:
        tree = Path(made) / "tree"
        tree.mkdir()
        yield tree
        _same_times(tree)
        subprocess.run(  # noqa: S603  (our own arguments)
            ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(file)],  # noqa: S607  (wherever it is)
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(_epoch())},
        )


def _version_of(wheel: Path) -> str:
    with ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return str(Parser().parsestr(archive.read(name).decode())["Version"])


def _minor() -> str:
    said = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([str(PYTHON), "-c", said], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def site_packages(minor: str) -> Path:
    """Below `HOME`."""
    return Path("lib") / f"python{minor}" / "site-packages"


def installed(packages: Path, *what: str) -> None:
    """By pip, into this directory, as it is told there."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*pip, "--target", str(packages), *what], check=True)  # noqa: S603


def compiled(tree: Path, packages: Path) -> None:
    """Whoever runs it may not write there, and without this each start takes a second more."""
    compiling = ["-m", "compileall", "-q", "-s", str(tree), "-p", "/"]
    never_looking = ["--invalidation-mode", "unchecked-hash"]
    of_python_2 = ["-x", "aenum/_py2"]
    subprocess.run(  # noqa: S603
        [str(PYTHON), *compiling, *never_looking, *of_python_2, str(packages)], check=True
    )


def _environment(tree: Path, minor: str, wheel: Path) -> None:
    """As venv(1) lays one out, with nothing in it of the place where it is made."""
    home = tree / HOME
    packages = home / site_packages(minor)
    packages.mkdir(parents=True)
    installed(packages, "--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "constraints.txt"))
    installed(packages, "--no-index", str(wheel))
    for left in (
        "bin",
        "share",
        "setuptools",
        "pkg_resources",
        "_distutils_hack",
        "distutils-precedence.pth",
    ):
        _remove(packages / left)
    for info in packages.glob("setuptools-*.dist-info"):
        _remove(info)
    binaries = home / "bin"
    binaries.mkdir()
    (binaries / "python3").symlink_to(f"/usr/bin/python{minor}")
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {minor}\n", encoding="ascii"
    )
    for name, entry in _COMMANDS.items():
        module, _, function = entry.partition(":")
        (binaries / name).write_text(_LAUNCHER.format(module=module, function=function), encoding="ascii")
        (binaries / name).chmod(0o755)
    compiled(tree, packages)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files_of_the_system(tree: Path) -> None:
    units = tree / "usr/lib/systemd/system"
    for folder in (units, tree / "usr/lib/sysusers.d", tree / "usr/lib/tmpfiles.d", tree / "usr/bin"):
        folder.mkdir(parents=True)
    for unit in [*(ROOT / "systemd").glob("*.service"), *(ROOT / "systemd").glob("*.timer")]:
        if unit.name != "syncd-worker.service":  # of syncd-fleet
            shutil.copy(unit, units)
    shutil.copy(ROOT / "systemd" / "syncd.sysusers", tree / "usr/lib/sysusers.d/syncd.conf")
    shutil.copy(ROOT / "systemd" / "syncd.tmpfiles", tree / "usr/lib/tmpfiles.d/syncd.conf")
    (tree / "usr/bin/syncd").symlink_to("/opt/syncd/bin/syncd")


def _documentation(tree: Path) -> None:
    manual = tree / "usr/share/man/man1"
    manual.mkdir(parents=True)
    for name, page in pages():
        (manual / f"{name}.gz").write_bytes(gzip.compress(page.encode("ascii"), mtime=0))
    place = tree / "usr/share/doc/syncd"
    place.mkdir(parents=True)
    for name in ("README.md", "CHANGELOG.md", "config.example.toml"):
        shutil.copy(ROOT / name, place)
    shutil.copy(ROOT / "LICENSE", place / "copyright")
    shutil.copytree(
        ROOT / "docs", place / "docs", ignore=shutil.ignore_patterns("*.py", "*.png", "__pycache__")
    )


def _control(tree: Path, made_for: Release) -> None:
    needed = ["ca-certificates", "procps", "tzdata", "systemd (>= 247)"]
    control_file(tree, "syncd", made_for, depends=needed, description=_DESCRIPTION)
    maintainers_scripts(tree, ROOT / "distribution" / "debian")


def control_file(
    tree: Path, package: str, made_for: Release, *, depends: Sequence[str], description: str
) -> None:
    """`depends`: besides that version of Python for which the wheels are."""
    minor = made_for.minor
    size = sum(file.lstat().st_size for file in tree.rglob("*") if not file.is_dir()) // 1024
    following = f"{minor.partition('.')[0]}.{int(minor.partition('.')[2]) + 1}"
    control = tree / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(
        _CONTROL.format(
            package=package,
            version=made_for.version,
            architecture=made_for.architecture,
            maintainer=os.environ.get("DEBEMAIL", _MAINTAINER),
            size=size,
            depends=", ".join([f"python3 (>= {minor})", f"python3 (<< {following}~)", *depends]),
            description=description,
        ),
        encoding="utf-8",
    )


def maintainers_scripts(tree: Path, source: Path) -> None:
    """Beside the control file."""
    for script in ("postinst", "prerm", "postrm"):
        shutil.copy(source / script, tree / "DEBIAN" / script)
        (tree / "DEBIAN" / script).chmod(0o755)


def _epoch() -> int:
    """The time that everything in the package has: two builds of one commit are the same bytes."""
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(said)
    git = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    return int(done.stdout.strip() or 0) if done.returncode == 0 else 0


def _same_times(tree: Path) -> None:
    epoch = _epoch()
    for path in [tree, *tree.rglob("*")]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m distribution.deb WHEEL DIRECTORY\n")
        return 64
    sys.stdout.write(f"{build(Path(arguments[0]), Path(arguments[1]))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
