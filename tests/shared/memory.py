"""The peak memory of a process."""

PEAK = r"""
def peak():
    import re
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\s*([0-9]+)", status.read())[1]) // 1024
"""
"""Python code that defines `peak()`, in megabytes. ru_maxrss is not used: it begins with the parent's value."""
