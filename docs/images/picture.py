# ruff: noqa: INP001  (a script, in no package)
"""Makes demo.svg, the picture in the README, from a real run of the demo: python docs/images/picture.py

Three scenes are cut out: the busy morning, the mistake, the end. The picture refers to no font or file elsewhere.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from syncd.demo import perform

SCENES = ("5.", "8.", "9.")
WIDTH = 112
SHORT_FOLDER = "demo-output"


def recorded() -> str:
    """The demo's words with their colours, as a terminal gets them."""
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=WIDTH, color_system="truecolor", markup=False)
    with tempfile.TemporaryDirectory() as folder:
        code = perform(console, Path(folder))
        if code:
            sys.exit(said.getvalue())
        return said.getvalue().replace(folder, SHORT_FOLDER)


def scenes(text: str) -> str:
    """The chosen acts, each with its heading."""
    acts = re.split(r"\n(?=[^\n]*── \d+\. )", text)
    chosen = [act for act in acts if any(f"── {number} " in act for number in SCENES)]
    return "\n".join(act.strip("\n") + "\n" for act in chosen)


def picture(text: str) -> str:
    """An SVG without the web font that rich would fetch."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="syncd demo", theme=MONOKAI)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    Path(__file__).with_name("demo.svg").write_text(picture(scenes(recorded())), encoding="utf-8")
