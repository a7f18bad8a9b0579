"""Generate synthetic patients with Synthea, in the form in which a hospital's system would export them.

    python tools/synthea.py --patients 20 --seed 1 --to FOLDER [--bulk | --bundles] [--years 10]

Needs Java 17 or newer, and Maven, which downloads Synthea's jars from Maven Central (some 200 MB, once). Without Maven,
set PYHCE_SYNTHEA_CLASSPATH to Synthea's classpath or to its synthea-with-dependencies.jar. The same version, seed,
number of patients and years give the same resources; several threads write them, so the order of lines varies.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "3.3.0"
OLDEST_JAVA = 17
TODAY = "20240101"
"""The day on which the simulation ends; a fixed day, so that the result does not depend on the date."""
YEARS = 10
CLASSPATH = "PYHCE_SYNTHEA_CLASSPATH"
NOTED = Path(__file__).parent.parent / ".tools" / f"synthea-{VERSION}.classpath"
_LAST_LINES = 15
_FEW = 20
"""Up to this number of patients, Java runs faster with less compilation."""
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pyhce</groupId><artifactId>classpath</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.mitre.synthea</groupId><artifactId>synthea</artifactId><version>{VERSION}</version>
  </dependency></dependencies>
</project>
"""


class Missing(Exception):
    """This machine lacks something that Synthea needs; the message says what, and how to install it."""


class Failed(Exception):
    """Synthea or Maven ended with an error."""


def main(arguments: list[str]) -> int:
    """Generate the patients; return 2 if something is missing, 1 if Synthea fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=20, help="number of living patients; deceased ones are added")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path, required=True, help="a folder that does not exist yet")
    parser.add_argument("--years", type=int, default=YEARS, help="years of history; 0 for all years since birth")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--bulk", action="store_true", help="write NDJSON, one file for each type (default)")
    form.add_argument("--bundles", action="store_true", help="write a transaction Bundle for each patient")
    options = parser.parse_args(arguments)
    try:
        generate(options.to, patients=options.patients, seed=options.seed, bundles=options.bundles, years=options.years)
    except (Missing, Failed) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, Missing) else 1
    files = [path for path in options.to.iterdir() if path.is_file()]
    print(f"{options.to}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
    return 0


def generate(to: Path, *, patients: int, seed: int, bundles: bool = False, years: int = YEARS) -> None:
    """Generate patients. The folder appears only when it is complete.

    Raises:
        Missing: Java, Maven or Synthea is missing.
        Failed: the folder exists, or Synthea failed.
    """
    if to.exists():
        raise Failed(f"{to} already exists; give another folder, or delete it")
    program, path = java(), classpath()
    to.parent.mkdir(parents=True, exist_ok=True)
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"] if patients <= _FEW else []
    with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.parent) as work:
        options = {
            "exporter.baseDirectory": work,
            "exporter.fhir.bulk_data": str(not bundles).lower(),
            "exporter.years_of_history": str(years),
        }
        run = [program, *quick, "-Duser.timezone=America/Bogota", "-cp", path, "App"]
        run += ["-s", str(seed), "-cs", str(seed), "-p", str(patients), "-r", TODAY, "-e", TODAY]
        done = subprocess.run(
            [*run, *(f"--{name}={value}" for name, value in options.items())],
            cwd=work,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        made = Path(work) / "fhir"
        if done.returncode or not made.is_dir() or not any(made.iterdir()):
            raise Failed(f"Synthea wrote no files (exit status {done.returncode}):\n{_last(done.stdout)}")
        made.rename(to)


def java() -> str:
    """The path of Java.

    Raises:
        Missing: there is no Java, or it is older than Synthea needs.
    """
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if not program:
        where = f"in JAVA_HOME, {home}" if home else "on PATH"
        raise Missing(
            f"Synthea needs Java {OLDEST_JAVA} or newer, and there is none {where}; install one (a JRE is enough)"
        )
    output = subprocess.run([program, "-version"], capture_output=True, text=True).stderr
    found = re.search(r'version "(\d+)', output)
    if not found or int(found[1]) < OLDEST_JAVA:
        version = found[1] if found else "unknown"
        raise Missing(f"Synthea needs Java {OLDEST_JAVA} or newer, {program} is version {version}; set JAVA_HOME")
    return program


def classpath() -> str:
    """Synthea's jars as a Java classpath.

    Raises:
        Missing: Maven is missing and PYHCE_SYNTHEA_CLASSPATH is not set, or a jar in it does not exist.
        Failed: Maven could not download them.
    """
    named = os.environ.get(CLASSPATH)
    if named:
        return _there(named) or _no_jars(named)
    noted = _there(NOTED.read_text()) if NOTED.exists() else None
    return noted or _by_maven()


def _there(path: str) -> str | None:
    jars = [Path(part) for part in path.strip().split(os.pathsep)]
    return os.pathsep.join(str(jar.absolute()) for jar in jars) if all(jar.exists() for jar in jars) else None


def _no_jars(named: str) -> str:
    gone = next(part for part in named.strip().split(os.pathsep) if not Path(part).exists())
    raise Missing(f"{CLASSPATH} has {gone}, which does not exist")


def _by_maven() -> str:
    program = shutil.which("mvn")
    if not program:
        raise Missing(f"Maven downloads Synthea's jars, and mvn is not on PATH; install Maven, or set {CLASSPATH}")
    with tempfile.TemporaryDirectory(prefix="pyhce-synthea-") as folder:
        (Path(folder) / "pom.xml").write_text(_POM)
        out = Path(folder) / "classpath"
        done = subprocess.run(
            [program, "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={out}"],
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode or not out.exists():
            raise Failed(f"Maven could not download org.mitre.synthea:synthea:{VERSION}:\n{_last(done.stdout)}")
        found = out.read_text()
    NOTED.parent.mkdir(exist_ok=True)
    NOTED.write_text(found)
    return found


def _last(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-_LAST_LINES:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
