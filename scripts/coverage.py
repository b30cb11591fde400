"""Prints line coverage per crate from an llvm-cov summary and fails below the limits."""

import json
import pathlib
import sys

OVERALL = 90.0
LIMITS = {"dataplane/policy": 95.0}
# The harness and the benchmark drivers judge the product; they are not the product.
NOT_OURS = ("e2e", "bench", "fuzz")

root = pathlib.Path.cwd()
crates: dict[str, list[int]] = {}
for file in json.load(open(sys.argv[1]))["data"][0]["files"]:
    try:
        path = pathlib.Path(file["filename"]).relative_to(root)
    except ValueError:
        continue
    crate = "/".join(path.parts[: path.parts.index("src")]) if "src" in path.parts else None
    if crate is None or crate.split("/")[0] in NOT_OURS:
        continue
    lines = file["summary"]["lines"]
    counted = crates.setdefault(crate, [0, 0])
    counted[0] += lines["covered"]
    counted[1] += lines["count"]

failed = False
for crate, (covered, count) in sorted(crates.items()):
    percent = 100 * covered / count if count else 100.0
    limit = LIMITS.get(crate)
    short = limit is not None and percent < limit
    failed |= short
    print(f"{crate:24} {percent:6.2f} %  {covered:6}/{count:<6} {'below ' + str(limit) if short else ''}")
covered, count = (sum(column) for column in zip(*crates.values()))
percent = 100 * covered / count
failed |= percent < OVERALL
print(f"{'all':24} {percent:6.2f} %  {covered:6}/{count:<6} {'below ' + str(OVERALL) if percent < OVERALL else ''}")
sys.exit(failed)
