#!/usr/bin/env python3
"""Sizes of model files: ONNX, the same under gzip, zstd and xz, and .pare; and how long Pare takes to write and read it.

    python3 bench/file_sizes.py MODEL.onnx…      (PARE names the command line, default build/bin/pare)

Every .pare file is converted back and compared with the original byte by byte after both went through Pare.
"""
import gzip
import lzma
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PARE = os.environ.get("PARE", "build/bin/pare")


def pare(*arguments):
    start = time.monotonic()
    subprocess.run([PARE, *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def zstd(content):
    return len(subprocess.run(["zstd", "-19", "-c", "-q"], input=content, stdout=subprocess.PIPE, check=True).stdout)


def row(path, folder):
    plain, small, back = folder / "plain.onnx", folder / "small.pare", folder / "back.onnx"
    pare("convert", path, folder / "first.pare")  # what Pare reads of the file: one file without external data
    pare("convert", folder / "first.pare", plain)
    seconds = pare("convert", plain, small)
    reading = pare("convert", small, back)
    content = plain.read_bytes()
    assert content == back.read_bytes(), f"{path} came back changed"
    sizes = [len(content), len(gzip.compress(content, 9)), zstd(content), len(lzma.compress(content, preset=9)),
             small.stat().st_size]
    for file in folder.iterdir():
        file.unlink()
    return sizes, seconds, reading


def main():
    print(f"{'model':32}{'onnx':>12}{'gzip -9':>12}{'zstd -19':>12}{'xz -9':>12}{'.pare':>12}{'of xz':>8}"
          f"{'write s':>9}{'read s':>8}")
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            sizes, writing, reading = row(name, pathlib.Path(folder))
        print(f"{pathlib.Path(name).stem[:31]:32}" + "".join(f"{size:12,}" for size in sizes) +
              f"{sizes[-1] / sizes[-2]:8.3f}{writing:9.2f}{reading:8.2f}", flush=True)


if __name__ == "__main__":
    main()
