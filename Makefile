# The two commands of the README, and what they are made of.
.PHONY: demo test build packages oracles check-includes conformance architectures docs install bench clean

build: packages
	cmake --preset release
	cmake --build --preset release

packages:
	@scripts/install-packages packages.txt

# ONNX Runtime and pytest in .venv: oracles of the tests, never dependencies of the product.
oracles: packages
	@scripts/make-oracles tests/requirements.txt

check-includes:
	@scripts/check-includes

test: build oracles check-includes
	ctest --test-dir build --output-on-failure --timeout 900 -j 2

# ONNX's newest node tests and the whole grid against ONNX Runtime; writes docs/conformance.md.
conformance: build
	@scripts/conformance

# Exports of torchvision, timm and transformers by both PyTorch exporters; writes docs/architectures.md.
architectures: build
	@bench/architectures/run

demo: build
	examples/demo

# docs/commands and docs/methods, from the declarations in the program; after a change of an option.
docs: build
	rm -rf docs/commands docs/methods
	build/bin/pare docs --markdown docs

# make install PREFIX=/usr/local
PREFIX ?= /usr/local
install: build
	cmake --install build --prefix $(PREFIX)

bench: packages
	cmake --preset release -DPARE_BUILD_BENCH=ON
	cmake --build --preset release

clean:
	rm -rf build build-dev build-asan demo
