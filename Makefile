# Everything a contributor needs: each target does all of its own set-up on a fresh Linux or macOS machine.
#   make demo        a real photo becomes a mesh in Blender: build/demo/
#   make test        every check in short form
#   make acceptance PART=n   the full form: hours, resumable, writes docs/measured/part_n.json
#   make demo-checkpoint     remakes the demo checkpoint from nothing in build/: many hours, resumable
#   make extension   the zip for Blender, in dist/
SHELL := /bin/bash
.DELETE_ON_ERROR:

# Blender 4.2-5.0 is Python 3.11, and so is the worker here; Blender 5.2 is 3.13.
find_python = $(shell for p in python$(1) python3 $$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$(1).*/bin/python 2>/dev/null); do \
	$$p -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(1)")' 2>/dev/null && echo $$p && break; done)
PYTHON311 ?= $(call find_python,3.11)
PYTHON313 ?= $(call find_python,3.13)

.PHONY: demo demo-checkpoint test lint acceptance extension setup setup-test clean

demo: .venv/.ready
	.venv/bin/python tools/demo.py build/demo

demo-checkpoint: .venv/.ready
	nice .venv/bin/python -m marigold_blender.training demo build/demo-checkpoint

extension: .venv/.ready
	.venv/bin/python tools/build_extension.py dist

setup: .venv/.ready

setup-test: .venv/.ready .venv-bpy42/.ready $(if $(PYTHON313),.venv-bpy52/.ready)

lint: .venv/.ready
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy

test: setup-test lint
	tests/run

acceptance: setup-test
	.venv/bin/python -m tests.acceptance.part_$(PART)

.venv/.ready: requirements/venv.lock pyproject.toml
	$(if $(PYTHON311),,$(error Python 3.11 is needed: install it, or name one with make PYTHON311=/path/to/python))
	[ -x .venv/bin/python ] || $(PYTHON311) -m venv .venv
	.venv/bin/python -m pip install --quiet --upgrade pip setuptools
	.venv/bin/python -m pip install --quiet -r requirements/venv.lock
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

.venv-bpy42/.ready: requirements/bpy42.lock
	[ -x .venv-bpy42/bin/python ] || $(PYTHON311) -m venv .venv-bpy42
	.venv-bpy42/bin/python -m pip install --quiet -r $<
	touch $@

.venv-bpy52/.ready: requirements/bpy52.lock
	[ -x .venv-bpy52/bin/python ] || $(PYTHON313) -m venv .venv-bpy52
	.venv-bpy52/bin/python -m pip install --quiet -r $<
	touch $@

clean:
	rm -rf build dist .venv .venv-bpy42 .venv-bpy52
