# Fly, test and measure on a machine that has no ROS. With ROS, use colcon and ros2 launch.
#
#   make fly ARGS='--world rooms --seed 7 --duration 60'
#   make fly ARGS='--view'         watched in the browser; --save-view FILE.rrd keeps it
#   make train ARGS='--drones 2 --duration 600'    learned while they fly, over ROS 2
#   make test ARGS='-k policy'
#   make bench                      figures, and the tests that hold them: the machine must be quiet
#   make docs                       the documentation, as HTML in build/docs
#   make pictures                   those of the README, by the shipped policy
#   make clean
#
# Every target does its own set-up, once. To choose:
#   PYTHON=python3.12     the interpreter the environment is made with (3.10 to 3.13)
#   TORCH_INDEX=ADDRESS   a package index that has PyTorch's CPU wheels: without it pip takes what
#                         the usual index has, on x86-64 a CUDA build of several GB
#   WORKERS=1             how many tests run at the same time (twice the cores, at most 8)

SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
TORCH_INDEX ?=
ARGS ?=
# Tests wait for nodes more than they compute.
WORKERS ?= $(shell n=$$((2 * $$(nproc))); echo $$((n > 8 ? 8 : n)))

VENV := $(CURDIR)/.venv
include cmake/setup.mk

ENVIRONMENT := source install/setup.bash
PYTEST := -n $(WORKERS) --dist worksteal --durations 20 -rs --reruns 2
# Of the whole suite; processes that tests start are not counted.
COVERAGE := $(if $(ARGS),,--cov rapid_nav --cov-report= --cov-fail-under 80)

.PHONY: help fly train test bench docs pictures lint build clean
help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

build: $(BUILT)

# A flight is the terminal's own job, so that Ctrl-C reaches it and not make, and ends with make.
fly: $(BUILT) $(if $(findstring -view,$(ARGS)),$(VIEW))
	@$(ENVIRONMENT); exec setpriv --pdeathsig TERM \
		python cmake/foreground.py rapid-nav fly $(ARGS)

train: $(BUILT)
	@$(ENVIRONMENT); exec setpriv --pdeathsig TERM \
		python cmake/foreground.py rapid-nav train fleet $(ARGS)

test: $(BUILT) $(DEV) $(VIEW) $(DOCS)
	@$(ENVIRONMENT); $(VENV)/bin/pytest $(PYTEST) $(COVERAGE) $(ARGS)

bench: $(BUILT) $(DEV)
	@$(ENVIRONMENT); mkdir -p runs
	@$(ENVIRONMENT); rapid-nav bench simulator --report runs/bench_simulator.json $(ARGS)
	@$(ENVIRONMENT); rapid-nav bench latency --report runs/bench_latency.json $(ARGS)
	@$(ENVIRONMENT); $(VENV)/bin/pytest -m figures

# Warnings are errors, and nothing is fetched.
docs: $(BUILT) $(DOCS)
	@$(ENVIRONMENT); $(VENV)/bin/sphinx-build -q -E -W --keep-going -b html docs build/docs
	@echo build/docs/index.html

# The evaluation is flown once; delete its report to fly it again.
pictures: runs/evaluation.json $(BUILT) $(VIEW)
	@$(ENVIRONMENT); rapid-nav -v draw --world rooms --seed 10001 --out pictures/flight.png
	@$(ENVIRONMENT); rapid-nav -v draw --world rooms --seed 10001 --out pictures/flight.gif
	@$(ENVIRONMENT); rapid-nav -v report $< $(wildcard runs/bench_*.json) --out runs/report.html \
		--curve pictures/operations.png
	@$(ENVIRONMENT); rapid-nav bench steering --plot pictures/steering.png
	@$(ENVIRONMENT); rapid-nav fly --world pillars --seed 10003 --duration 30 \
		--save-view runs/flight.rrd
	@$(ENVIRONMENT); $(VENV)/bin/python pictures/screenshot.py \
		--flight runs/flight.rrd pictures/viewer.png 60 1200x800
	@$(VENV)/bin/python pictures/screenshot.py \
		file://$(CURDIR)/runs/report.html pictures/report.png 3 900x1400

runs/evaluation.json: | $(BUILT)
	@mkdir -p runs
	@$(ENVIRONMENT); rapid-nav evaluate drone --flights 400 --controls --report $@ \
		--baseline models/drone_baseline.safetensors

lint: $(BUILT) $(DEV)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(ENVIRONMENT); $(VENV)/bin/mypy
	@$(VENV)/bin/flake8 --config test/ament_flake8.ini rapid_nav launch test setup.py

clean:
	rm -rf .venv build install log .coverage .pytest_cache .ruff_cache .mypy_cache .hypothesis
