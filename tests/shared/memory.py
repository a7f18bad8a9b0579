"""The memory of a process at its most."""

PEAK = r"""
def peak():
    import re
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s*([0-9]+)", status.read())[1]) // 1024
"""
"""Python that defines `peak()`, in megabytes; ru_maxrss would be that of the parent, if that had more."""
