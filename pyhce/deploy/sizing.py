"""How large an installation must be for so many patients, and the values file that says so.

The measures: a resource takes some 3.3 KB of a worker's volume (27,296 of Synthea's took 91 MB, indexes included), a
patient of a general hospital has some 300 of them, an assumption; both can be given. The rules: a shard stays below
some tens of GB, so that it moves within minutes; a worker holds at most half a TB, so that it is restored within
hours; a volume is never more than two thirds full, for the write-ahead log and for shards on the move; memory holds
the part of the data that is read often, a twentieth.
"""

from __future__ import annotations

import math
from enum import StrEnum

from pyhce.errors import UsageError
from pyhce.schema.model import Frozen

BYTES_A_RESOURCE = 3300
RESOURCES_A_PATIENT = 300
_GI = 1024**3


class Platform(StrEnum):
    """Where the chart is installed."""

    KIND = "kind"
    MINIKUBE = "minikube"
    PRODUCTION = "production"


class Sizing(Frozen):
    """What the chart is given; volumes and memory in GiB, processors in cores."""

    platform: Platform
    patients: int
    data_gi: float
    workers: int
    shards: int
    worker_gi: int
    coordinator_gi: int
    memory_gi: int
    cores: int
    clients: int
    connections: int


def size(
    patients: int,
    platform: Platform,
    *,
    resources_a_patient: int = RESOURCES_A_PATIENT,
    bytes_a_resource: int = BYTES_A_RESOURCE,
    clients: int = 100,
) -> Sizing:
    """Workers, shards, volumes, memory and connections for so many patients.

    Args:
        clients: connections of applications at one time.

    Raises:
        UsageError: nobody, or more than one chart can hold.
    """
    if patients < 1 or resources_a_patient < 1 or bytes_a_resource < 1 or clients < 1:
        raise UsageError("patients, resources, bytes and clients are 1 or more", remedy="Give --patients 5000000.")
    data = patients * resources_a_patient * bytes_a_resource / _GI
    small = platform is not Platform.PRODUCTION
    workers = 2 if small else max(2, math.ceil(data / 500))
    if workers > 64:
        raise UsageError(
            f"{patients} patients are {data / 1024:.0f} TiB: more than 64 workers of 500 GiB",
            remedy="Split them over several installations, or give fewer --resources-per-patient.",
        )
    shards = 32 if small else min(1024, max(32, _power_of_two(max(4 * workers, math.ceil(data / 20)))))
    worker_gi = _rounded(1.5 * data / workers + (1 if small else 10), 1 if small else 10)
    memory = (1 if platform is Platform.KIND else 2) if small else min(256, max(8, _rounded(data / workers / 20, 4)))
    by_query = math.ceil(shards / workers)
    at_once = 2 if small else 8
    return Sizing(
        platform=platform,
        patients=patients,
        data_gi=round(data, 2),
        workers=workers,
        shards=shards,
        worker_gi=worker_gi,
        coordinator_gi=_rounded(data / 100 + (1 if small else 20), 1 if small else 10),
        memory_gi=memory,
        cores=1 if small else max(2, min(32, memory // 4)),
        clients=clients,
        connections=max(100, _rounded(20 + clients + at_once * by_query * (1 if small else 2), 50)),
    )


def _power_of_two(number: int) -> int:
    return 1 << max(0, math.ceil(math.log2(number)))


def _rounded(amount: float, step: int) -> int:
    return max(step, math.ceil(amount / step) * step)


def values_file(sized: Sizing) -> str:
    """The values as YAML, each with where it comes from."""
    s = sized
    production = s.platform is Platform.PRODUCTION
    lines = [
        f"# For {s.patients} patients on {s.platform.value}: some {s.data_gi:g} GiB. Made by",
        f"# pyhce generate values --patients {s.patients} --platform {s.platform.value}",
        "",
        f"# A shard of some {s.data_gi / s.shards:.2g} GiB, {s.shards / s.workers:g} for each worker. Fixed at birth.",
        f"shards: {s.shards}",
        f"# {s.clients} clients, 20 kept free, and queries over {math.ceil(s.shards / s.workers)} shards of a worker.",
        f"maxConnections: {s.connections}",
        "# Parallel queries and index builds share memory here: a quarter of the memory.",
        f"sharedMemory: {max(256, s.memory_gi * 256)}Mi",
        "",
        "settings:",
        "  # A quarter of the memory, PostgreSQL's own advice.",
        f"  shared_buffers: {s.memory_gi * 256}MB",
        "  # What the machine has for files as well: three quarters.",
        f"  effective_cache_size: {s.memory_gi * 768}MB",
        "  # For building an index: a sixteenth.",
        f"  maintenance_work_mem: {max(64, s.memory_gi * 64)}MB",
        "  # For one sort: a quarter of the memory over the connections, 4 MB or more.",
        f"  work_mem: {max(4, s.memory_gi * 256 // s.connections)}MB",
        "",
        "coordinator:",
        *_service(s.platform),
        "  storage:",
        "    # Catalogues, the write-ahead log, and a hundredth of the data. Fixed at birth.",
        f"    sizeGi: {s.coordinator_gi}",
        *_resources(s),
        "",
        "worker:",
        "  # "
        + ("At most 500 GiB of data each, two at the least." if production else "Two show what distribution is."),
        f"  replicas: {s.workers}",
        "  storage:",
        f"    # {s.data_gi / s.workers:.3g} GiB of data, half as much to move shards, and the log. Fixed at birth.",
        f"    sizeGi: {s.worker_gi}",
        *_resources(s),
    ]
    return "\n".join(lines) + "\n"


def _service(platform: Platform) -> list[str]:
    if platform is Platform.PRODUCTION:
        return [
            "  service:",
            "    # Applications run in the cluster; open it to the outside on purpose only.",
            "    type: ClusterIP",
            '    nodePort: ""',
        ]
    return ["  service:", "    # At localhost, or at `minikube ip`.", "    type: NodePort", "    nodePort: 30007"]


def _resources(s: Sizing) -> list[str]:
    if s.platform is not Platform.PRODUCTION:
        return [
            "  resources:",
            "    # Asks for little, so that it fits on a laptop; never more than this memory.",
            "    requests: {cpu: 100m, memory: 256Mi}",
            f"    limits: {{memory: {s.memory_gi}Gi}}",
        ]
    return [
        "  resources:",
        "    # A twentieth of a worker's data, 8 GiB or more; requested whole, so that nobody else gets it.",
        f"    requests: {{cpu: {s.cores}, memory: {s.memory_gi}Gi}}",
        f"    limits: {{memory: {s.memory_gi}Gi}}",
    ]
