"""Copy an evaluation into this folder, its pictures made small: collect.py REPORT NAME."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from PIL import Image, ImageSequence

HERE = Path(__file__).resolve().parent
MOST_BYTES = 500_000
WIDTHS = (1600, 1300, 1000, 850, 700)
# Sheets of cines hold greys and the red of their marks; charts hold any colour.
SHEETS = ("contact-sheet", "ed-es", "lv-mass", "nearest-pairs")
GREYS, REDS, MARK_RED = 64, 12, (139, 26, 26)
CHART_COLOURS = 128
GIF_SCALE = 0.4


def sheet_palette() -> Image.Image:
    """Greys from black to white, and reds from that of the marks to white."""
    colours = [3 * (round(255 * step / (GREYS - 1)),) for step in range(GREYS)]
    colours += [
        tuple(round(part + (255 - part) * step / REDS) for part in MARK_RED) for step in range(REDS)
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in colours for part in colour])
    return palette


def few_colours(picture: Image.Image, name: str) -> Image.Image:
    """The picture with a palette."""
    if name in SHEETS:
        return picture.quantize(palette=sheet_palette(), dither=Image.Dither.NONE)
    return picture.quantize(CHART_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def small_png(source: Path, target: Path) -> None:
    """A palette picture, as wide as its size allows."""
    with Image.open(source) as picture:
        whole = picture.convert("RGB")
    for width in WIDTHS:
        scale = min(1.0, width / whole.width)
        size = (round(whole.width * scale), round(whole.height * scale))
        resized = whole.resize(size, Image.Resampling.LANCZOS)
        few_colours(resized, source.stem).save(target, optimize=True)
        if target.stat().st_size <= MOST_BYTES:
            return
    raise SystemExit(f"{source}: {target.stat().st_size} bytes at {WIDTHS[-1]} pixels")


def small_gif(source: Path, target: Path) -> None:
    """Every frame, smaller; GIFs are grey."""
    with Image.open(source) as picture:
        duration = int(picture.info["duration"])
        size = (round(picture.width * GIF_SCALE), round(picture.height * GIF_SCALE))
        frames = [
            frame.convert("L")
            .resize(size, Image.Resampling.LANCZOS)
            .point([round(round(v * (GREYS - 1) / 255) * 255 / (GREYS - 1)) for v in range(256)])
            for frame in ImageSequence.Iterator(picture)
        ]
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=duration, loop=0)


def main() -> None:
    """Copy report, numbers, tables and small pictures."""
    report, out = Path(sys.argv[1]), HERE / sys.argv[2]
    (out / "figures").mkdir(parents=True, exist_ok=True)
    for name in ("report.md", "results.json"):
        shutil.copy(report / name, out / name)
    shutil.copytree(report / "tables", out / "tables", dirs_exist_ok=True)
    for picture in sorted((report / "figures").glob("*.png")):
        small_png(picture, out / "figures" / picture.name)
    for picture in sorted((report / "figures").glob("*.gif")):
        small_gif(picture, out / "figures" / picture.name)


if __name__ == "__main__":
    main()
