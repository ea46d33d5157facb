# Targets only; what takes more than a line lives in scripts/.
T     ?= 20s
SEEDS ?= 200
COMMANDS ?= 1000000
SEED  ?= 1
# Lives that are searched with each rule of the control plane switched off; 0 leaves that out.
GUARDSEEDS ?= 500

.PHONY: all build cluster test race fuzz differential sim e2e bench conformance lint clean

all: lint test

build:
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/conclave-server ./cmd/conclave-admin

cluster: build
	scripts/cluster start

# Everything: lint, all tests under the race detector, end to end.
test:
	scripts/test

race:
	go test -race ./...

# Each fuzzer for T.
fuzz:
	scripts/fuzz $(T)

# Random programs against redis-server, COMMANDS commands from program SEED on.
differential:
	COMMANDS=$(COMMANDS) SEED=$(SEED) go test -count=1 -timeout 60m -v ./scripts/differential

# The control plane in virtual time, SEEDS runs.
sim:
	SEEDS=$(SEEDS) GUARDSEEDS=$(GUARDSEEDS) go test -count=1 -timeout 90m -run 'Simulat' ./raftnode/sim

e2e: build
	go test -count=1 -timeout 20m ./scripts/e2e/...

bench: build
	scripts/bench

# The public test suite of Redis 7.0.15, against an external server, alone and as a
# cluster of one.
conformance: build
	scripts/conformance --mode standalone --mode cluster --write

lint:
	scripts/lint

clean:
	rm -rf bin
