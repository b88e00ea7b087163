# Needs make and Python 3.11 or newer; everything else comes with the locked packages.

PY := .venv/bin/python

.PHONY: demo test venv lock format clean help

help:
	@echo "make demo   run Kantis on this machine (PORT, KANTIS_HOME)"
	@echo "make test   all checks and tests"
	@echo "make format put the code in order"

demo: venv
	@exec $(PY) manage.py demo

test: venv
	@exec bash .ci/checks

venv:
	@exec sh .ci/venv

format: venv
	@$(PY) -m ruff check --fix . && $(PY) -m ruff format .

lock:
	@pip-compile --quiet --allow-unsafe --generate-hashes --strip-extras --no-header --no-emit-options \
		--output-file=requirements.lock requirements.in

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .coverage htmlcov
