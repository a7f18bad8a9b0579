"""The figures of the benchmarks as a picture: `python -m bench.chart FIGURES PICTURE.png` (needs matplotlib)."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

TITLES = {"one": "one PostgreSQL", "citus": "Citus, coordinator and 2 workers"}


def main() -> None:
    """A panel for each file of figures: how many times as fast as psql."""
    figures, picture = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(figures.glob("load-*.json")) + sorted(figures.glob("export-*.json"))
    made, panels = pyplot.subplots(len(files), 1, figsize=(8, 1.2 + 1.9 * len(files)), squeeze=False)
    for file, panel in zip(files, panels[:, 0], strict=True):
        held = json.loads(file.read_text())
        what, engine = file.stem.split("-")
        seconds = {name: values for name, values in held["seconds"].items() if ":" not in name and "CPU" not in name}
        base = statistics.median(seconds.pop("copy", None) or seconds.pop("psql \\copy"))
        names = list(seconds)[::-1]
        ratios = [base / statistics.median(seconds[name]) for name in names]
        panel.barh(names, ratios, color="#3b6ea5")
        panel.axvline(1, color="black", linewidth=1)
        panel.set_title(f"{what}, {TITLES[engine]}: times psql's \\copy", fontsize=10, loc="left")
        for at, ratio in enumerate(ratios):
            panel.text(ratio, at, f" {ratio:.2f}", va="center", fontsize=8)
        panel.margins(x=0.1)
    made.tight_layout()
    made.savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
