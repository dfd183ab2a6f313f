# Two commands on a fresh machine: `make demo` and `make test`. Both fetch what they need into a cache folder
# (BINSEAL_CACHE, default the user's cache folder).

GO ?= go
# Real servers and their clients fill two cores with two test binaries at a time.
TEST_P ?= 2

.PHONY: build demo test cases fuzz-apply fuzz-decoders soak bench bench-quick bench-steady bench-distance bench-scaling bench-profiles bench-memory profile vet check race clean

build: ## The daemon, static.
	CGO_ENABLED=0 $(GO) build -trimpath -o binseal ./cmd/binseal

demo: build ## Source, target, daemon, load, a kill, a comparison. DEMO_HOLD=1 keeps it up.
	./binseal demo

test: vet ## All tests, on real servers.
	$(GO) test -count=1 -timeout 30m -p $(TEST_P) ./...

# The kinds of source servers that the data cases run with: SOURCES="mysql mysql56" make cases.
SOURCES ?= mysql mysql56 mariadb

cases: ## All data cases of testdata/cases, for each source; `make test` runs the quick ones.
	@for source in $(SOURCES); do echo "source: $$source"; \
		BINSEAL_SOURCE=$$source BINSEAL_CASES=all $(GO) test -count=1 -timeout 30m -v -run 'TestCases' ./internal/cases || exit 1; \
	done

soak: ## The long runs: thousands of kills.
	$(GO) test -tags soak -count=1 -timeout 12h -p 1 -v -run Soak ./...

bench: ## binseal beside native replication, all workloads and settings of native, three rounds; some hours. Results in bench/results.
	$(GO) run ./bench/run catch-up

bench-quick: ## The same in small, one round: some minutes; short runs are mostly start-up.
	$(GO) run ./bench/run catch-up --quick --results $${BINSEAL_RESULTS:-/tmp/binseal-bench-quick}

bench-steady bench-distance bench-scaling: ## Lag at a steady rate; a target far away; sessions, processors and longer backlogs.
	$(GO) run ./bench/run $(@:bench-%=%)

WORKLOAD ?= oltp

profile: ## Where the daemon's processor time goes: WORKLOAD=oltp make profile.
	$(GO) run ./bench/run catch-up --rounds 1 --workloads $(WORKLOAD) --contenders "binseal split" --profile $(WORKLOAD).prof --results /tmp/binseal-profile
	$(GO) tool pprof -top -nodecount 40 $(WORKLOAD).prof

WORKLOADS ?= oltp insert bulk hot secondary wide nokey ddl-mix

bench-profiles: ## The same on each workload, in split mode, into bench/results/profiles.txt.
	@for w in $(WORKLOADS); do $(GO) run ./bench/run catch-up --rounds 1 --workloads $$w --contenders "binseal split" --profile /tmp/$$w.prof --results /tmp/binseal-profile >&2 || exit 1; \
		echo "== $$w"; $(GO) tool pprof -top -nodecount 30 /tmp/$$w.prof 2>/dev/null | grep -v '^File\|^Build ID'; done > bench/results/profiles.txt

bench-memory: ## One transaction of 2 GB, and an hour of backlog; prints the daemon's peak memory.
	$(GO) test -tags bench -count=1 -timeout 1h -v -run Memory ./bench

vet:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted (gofmt -w):"; echo "$$out"; exit 1; fi
	$(GO) vet ./...

# Each decoder of what a source or a file sends: folder and target.
DECODERS = change:FuzzParseGTIDSet replicator:FuzzStream replicator:FuzzEvents replicator:FuzzHeads replicator:FuzzGTIDEvents \
	replicator:FuzzStatusVars replicator:FuzzPayload rowimage:FuzzParseTableMap rowimage:FuzzTableMapOracle rowimage:FuzzRows \
	rowimage:FuzzPartialRows rowimage:FuzzPartialJSON rowimage:FuzzPatchJSON rowimage:FuzzValues rowimage:FuzzJSON rowimage:FuzzUnpack \
	schema:FuzzWeigher schema:FuzzParseDDL

fuzz-decoders: ## Mutated input for each decoder, BINSEAL_FUZZ_FOR (default 10m) each; what breaks one is kept in its testdata/fuzz.
	@for d in $(DECODERS); do echo "== $$d"; \
		$(GO) test -run '^$$' -fuzz "^$${d#*:}$$" -fuzztime $${BINSEAL_FUZZ_FOR:-10m} ./$${d%:*} || exit 1; done

fuzz-apply: ## Random schemas and transactions in both modes, and the weights of all collations, for BINSEAL_FUZZ_FOR (default 30m). BINSEAL_FUZZ_SEED=n repeats a run.
	BINSEAL_FUZZ_FOR=$${BINSEAL_FUZZ_FOR:-30m} $(GO) test -tags soak -count=1 -timeout 12h -v -run "FuzzApply" ./internal/fuzzapply

# Packages whose tests are about one package; the others drive whole daemons.
UNITS = $$($(GO) list ./... | grep -v -e /internal/cases -e /internal/chaos -e /internal/demo -e /internal/fuzzapply -e /bench)

check: vet ## Format, vet, the house rules, and the unit tests under the race detector (needs gcc). Goroutines left behind fail each package.
	$(GO) test -count=1 ./internal/archtest
	$(GO) test -race -count=1 -timeout 60m -p $(TEST_P) $(UNITS)

race: ## Daemons that are built with the race detector, under load, faults and kills (needs gcc).
	BINSEAL_RACE=1 $(GO) test -race -count=1 -timeout 60m -run 'TestStreamEndsEqual|TestStreamComesBack|Kill|TakesOver|TestDefinitions' ./internal/chaos

clean:
	rm -f binseal
