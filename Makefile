# The daily verbs. `make` alone lists them.
#
#   make preview STACK=staging     another stack than the selected one
#   make outputs ARGS=--json       further flags of kedge
#
# Every verb runs kedge as it is in this checkout. Exit codes with a meaning (0, 1, 2, 3) are
# kedge's own: make turns each failure into 2, so scripts should call kedge itself.

CARGO ?= cargo
# Taken from the command line only: a variable of that name in the environment may mean anything.
STACK =
ARGS =
SECONDS = 15
SEED ?=
# Of `make bench-lambda`: arm64, or this machine's.
ARCH =
# Of `make mutants`, from the environment too: how many (40, or all of a change), of the lines changed
# since which commit, and how many may be left.
N ?=
SINCE ?=
MAX_LEFT ?=
FUZZ = --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))
# Where `make install` puts bin/kedge; empty: cargo's own folder, ~/.cargo, whose bin is on PATH.
ROOT =

export CARGO
export CARGO_NET_RETRY ?= 5

# The first build shows its progress; later ones are quiet.
BUILT = $(or $(CARGO_TARGET_DIR),target)/debug/kedge
KEDGE = $(CARGO) run --quiet --locked -p kedge --
FLAGS = $(if $(STACK),--stack $(STACK)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help demo test test-real documents fuzz soak mutants bench bench-lambda size install init preview up outputs \
	refresh select-dev select-staging select-prod deploy-aws deploy-cloudflare fmt lint

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(BUILT):
	@.ci/prerequisites build
	@$(CARGO) build --locked -p kedge

demo: ## The whole job against built-in providers: deploy, drift, check, correct
	@.ci/prerequisites build
	@$(CARGO) build --locked -p kedge
	@$(KEDGE) demo

test: ## Format, laws, lints, the wasm32 check and all tests
	@.ci/prerequisites test
	$(CARGO) fmt --all --check
	.ci/laws
	.ci/laws-test
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	.ci/wasm
	$(CARGO) test --locked --workspace --all-features

test-real: ## The providers' own clients and an S3 server (in .tools/), and a little fuzzing
	@.ci/prerequisites build
	@.ci/test-real
	@$(MAKE) --no-print-directory fuzz FUZZ=--short

documents: ## Write docs/schema, the reference in docs/json.md and docs/openapi.json, all made from the types
	KEDGE_WRITE_DOCUMENTS=1 $(CARGO) test --quiet --locked -p kedge-core --lib render::tests::documents
	KEDGE_WRITE_DOCUMENTS=1 $(CARGO) test --quiet --locked -p kedge-service --lib http::openapi

fuzz: ## Feed every reader of outside text with mutated text (SECONDS=15 each, SEED=: a new one)
	@$(CARGO) build --locked --profile fuzz -p kedge-fuzz
	@for target in definitions stored aiven pubsub cloudflare; do \
	  $(CARGO) run --quiet --locked --profile fuzz -p kedge-fuzz -- \
	    $$target $(FUZZ) || exit 1; \
	done

soak: ## The long repetitions, about three hours: fuzz, properties, 10,000 worlds of automation, killed runs
	@$(MAKE) --no-print-directory fuzz SECONDS=600
	PROPTEST_CASES=5000 $(CARGO) test --locked --profile fuzz -p kedge-core
	KEDGE_SEEDS=10000 $(CARGO) test --locked --profile fuzz -p kedge-tests -- --include-ignored
	KEDGE_RACES=50 KEDGE_KILLS=200 CLIENT_WITHIN_S=5400 .ci/test-real store

mutants: ## Break one place at a time: does a test notice? (N=40 SEED=7, SINCE=commit: changed lines)
	@.ci/prerequisites build
	@N='$(N)' SEED='$(SEED)' SINCE='$(SINCE)' MAX_LEFT='$(MAX_LEFT)' .ci/mutants

bench: ## Time, memory and requests on made data, with octoDNS and avn beside
	@.ci/prerequisites build
	@.ci/bench

bench-lambda: ## Size, memory and starts of Lambda's functions, built as they are deployed (ARCH=arm64: under qemu)
	@.ci/prerequisites build
	@.ci/bench-lambda $(ARCH)

size: ## Lines of code, crates, crates in several versions
	@.ci/size

install: ## Build kedge and put it on PATH (ROOT=dir: into dir/bin)
	@.ci/prerequisites build
	$(CARGO) install --locked --path functions/cli $(if $(ROOT),--root $(ROOT))

init: $(BUILT) ## Prepare this checkout: .env, the folder of the state, the stack
	@$(KEDGE) init $(FLAGS)

# Differences (kedge's 2) are what a preview is for, and no failure of make.
preview: $(BUILT) ## What `make up` would do
	@$(KEDGE) preview $(FLAGS) || [ $$? -eq 2 ]

up: $(BUILT) ## Show the plan, ask, carry it out
	@$(KEDGE) up $(FLAGS)

outputs: $(BUILT) ## Names and addresses of what the stack declares
	@$(KEDGE) outputs $(FLAGS)

refresh: $(BUILT) ## Read again, record what is as declared; drift stays drift
	@$(KEDGE) refresh $(FLAGS)

select-dev: $(BUILT) ## Work on development
	@$(KEDGE) select development

select-staging: $(BUILT) ## Work on staging
	@$(KEDGE) select staging

select-prod: $(BUILT) ## Work on prod
	@$(KEDGE) select prod

deploy-aws: ## Build the functions and deploy them to AWS, after it said what is missing (docs/deploy-aws.md)
	@deploy/aws-deploy $(ARGS)

deploy-cloudflare: ## Build the Worker and deploy it to Cloudflare, after it said what is missing (docs/deploy-cloudflare.md)
	@deploy/cloudflare-deploy $(ARGS)

fmt: ## Format the code
	$(CARGO) fmt --all

lint: ## Laws and lints alone
	.ci/laws
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
