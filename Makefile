# The whole set-up is in two commands: `make demo` and `make test`. Neither needs anything installed beyond Node >= 18
# with npm, Go >= 1.24 and, where packages are missing, root.
SHELL := /bin/sh
NODE := node_modules/.bin/node
.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo e2e test bench lint engine engine-down cluster cluster-check cluster-down images

help:
	@echo 'make setup   install what is missing to run scenarios (quiet when nothing is)'
	@echo 'make demo    set up, run the scenarios on this machine, show the verdicts and the report'
	@echo '             DEFECT=ack-before-build   switch on a defect of the platform: the run fails'
	@echo '             SCENARIO=steady-control   only this one (several with spaces)'
	@echo 'make test    set up, then types, lint, borders and all tests that need no cluster'
	@echo 'make lint    types, lint and borders only'
	@echo 'make bench   set up, then the benchmarks'
	@echo 'make e2e     the platform on a kind cluster, real builds, Knative and Chaos Mesh; SCENARIO=kaniko-killed only this one, SCENARIO=all the long ones too; DEFECT= as above'
	@echo 'make engine  install and start a container engine where none answers (Debian, root); engine-down ends it'
	@echo 'make images  get what runs on a cluster of yours, and push it: REGISTRY=host:port, INSIDE= as the nodes know it, IMAGES= as below'
	@echo 'make cluster a kind cluster with Knative, Kaniko and Chaos Mesh (WORKERS=2; IMAGES=auto, published or source); cluster-check'
	@echo '             tries it: build, deploy, scale to zero and back, partition, kill; cluster-down takes it away'

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

demo: setup
	@DEFECT='$(DEFECT)' SCENARIO='$(SCENARIO)' $(NODE) scripts/demo.ts

test: setup-test
	@$(NODE) scripts/test.ts

lint:
	@scripts/setup.sh packages
	@$(NODE) scripts/test.ts --checks-only

bench: setup
	@$(NODE) scripts/bench.ts

e2e: setup
	@$(NODE) scripts/e2e.ts

engine cluster cluster-check engine-down cluster-down images:
	@scripts/setup.sh packages
	@$(NODE) scripts/kind.ts $@
