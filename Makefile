# make run: try it. make test: prove it. Both do their own set-up (.ci/setup), so a fresh machine needs git and make only.
# ARGS= goes to the program behind the target: make test ARGS="tests/sync -k journey", make run ARGS=--help

SHELL := /bin/bash
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help install run demo test test-long simulate check bench lock clean

# An activated environment of another project must not lend its packages to this one. Nor must a shell that keeps Python from
# saving what it compiles: the tests start hundreds of processes, and each would compile the program again.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PYTHON ARGS

help: ## this list
	@echo "The NFC check-in kiosk and its centre:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: ## make .venv with all that the kiosk and the centre need
	@.ci/setup run

run: ## start a demo hospital: a centre on 127.0.0.1:8000, a kiosk on 127.0.0.1:8080; Ctrl-C ends both
	@.ci/setup run
	@exec .venv/bin/python -m kiosk.demo run $(ARGS)

demo: ## play a story by itself: taps, a cut network, the return; succeeds only if both ends agree
	@.ci/setup run
	@exec .venv/bin/python -m kiosk.demo story $(ARGS)

test: ## run the tests on real parts (Chromium, pcscd) and hold the coverage
	@.ci/setup test
	@.ci/test $(ARGS)

test-long: ## the same with the slow cases: many more examples and rounds
	@.ci/setup test
	@LONG=1 .ci/test $(ARGS)

simulate: ## hospitals in trouble from seeds: N=50000 schedules over all cores, or SEED=123 again with its log; LIAR=all, none
	@.ci/setup check
	@PYTHONHASHSEED=0 exec .venv/bin/python -m tests.simulation $(if $(N),-n $(N)) $(if $(SEED),--seed $(SEED)) $(if $(LIAR),--liar $(LIAR)) $(ARGS)

check: ## format, lint, types, and imports between rooms
	@.ci/setup check
	@.ci/check

bench: ## print the figures: tap to screen, start, memory, actions a second
	@.ci/setup check
	@exec .venv/bin/python -m tests.bench $(ARGS)

lock: ## choose the versions of all dependencies again (.ci/lock); ARGS=--upgrade for the newest
	@.ci/setup run
	@.ci/lock/remake $(ARGS)

clean: ## remove .venv and what tools left behind; data and configuration stay
	@rm -rf .venv build mutants *.egg-info .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
