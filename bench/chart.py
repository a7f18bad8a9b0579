"""Draw the figures of the benchmarks: `python -m bench.chart FIGURES PICTURE.png` (needs matplotlib)."""

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
    """Draw a panel for each file of figures: the speed as a multiple of psql's."""
    figures, picture = Path(sys.argv[1]), Path(sys.argv[2])
    paths = sorted(figures.glob("load-*.json")) + sorted(figures.glob("export-*.json"))
    figure, panels = pyplot.subplots(len(paths), 1, figsize=(8, 1.2 + 1.9 * len(paths)), squeeze=False)
    for path, panel in zip(paths, panels[:, 0], strict=True):
        report = json.loads(path.read_text())
        what, engine = path.stem.split("-")
        seconds = {name: values for name, values in report["seconds"].items() if ":" not in name and "CPU" not in name}
        base = statistics.median(seconds.pop("copy", None) or seconds.pop("psql \\copy"))
        names = list(seconds)[::-1]
        ratios = [base / statistics.median(seconds[name]) for name in names]
        panel.barh(names, ratios, color="#3b6ea5")
        panel.axvline(1, color="black", linewidth=1)
        panel.set_title(f"{what}, {TITLES[engine]}: times psql's \\copy", fontsize=10, loc="left")
        for at, ratio in enumerate(ratios):
            panel.text(ratio, at, f" {ratio:.2f}", va="center", fontsize=8)
        panel.margins(x=0.1)
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
