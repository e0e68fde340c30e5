# Brug: one Makefile, no configure step. `make help` lists the targets.
#
# SAN= (plain), asan (address + undefined behaviour) or tsan (threads) choose a variant, CC= another
# compiler; each variant has its own folder under build/. Every floor is one static library made of
# all its *.c; a floor that is not there is skipped. Nothing is written outside build/.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
SHELL := /bin/bash

VERSION := $(shell cat VERSION)
SAN ?=
ifeq ($(origin CC),default)
CC := gcc
endif
WERROR ?= -Werror
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format-14
PYTHON ?= /usr/bin/python3
PROTOC_C ?= protoc-c

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=

FUZZ_SECONDS ?= 60
SEED ?=
TEST_SECONDS_MAX ?= 600
# At once; many wait as well as work, so that three fill two cores.
TEST_JOBS ?= 3

# ---- the variant ----

B := build/$(or $(SAN),plain)$(if $(filter gcc,$(CC)),,-$(notdir $(CC)))

SAN_FLAGS_ := -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2
SAN_FLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_FLAGS_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer
SAN_FLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
ifeq ($(origin SAN_FLAGS_$(SAN)),undefined)
$(error SAN=$(SAN) is no variant: leave it empty, or use asan or tsan)
endif

WARN := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wundef -Wvla -Wpointer-arith -Wformat=2 \
	-Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition $(WERROR)
CFLAGS_ALL = -std=c17 -g $(SAN_FLAGS_$(SAN)) -fPIE -D_GNU_SOURCE -DBRUG_VERSION='"$(VERSION)"' \
	-I. -I$(B)/gen $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(SAN_FLAGS_$(SAN)) -pie -Wl,-z,relro,-z,now -Wl,--as-needed -pthread $(LDFLAGS)

# Libraries, each asked for once; the linker drops what a program does not use.
PACKAGES := openssl libuv libprotobuf-c sqlite3 libconfuse jansson libsystemd
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)
TEST_LIBS := -lcmocka

# ---- the floors ----

FLOORS := client/cmd client daemon/ops daemon/net daemon/store daemon/core pki rules proto base
PROTO_SRC := $(sort $(wildcard proto/brug/v1/*.proto))
GEN_C := $(PROTO_SRC:proto/%.proto=$(B)/gen/%.pb-c.c)
GEN_H := $(GEN_C:.c=.h)

floor_src = $(sort $(wildcard $(1)/*.c))
floor_lib = $(B)/lib$(subst /,-,$(1)).a
FLOORS_HERE := $(foreach f,$(FLOORS),$(if $(call floor_src,$(f))$(if $(filter proto,$(f)),$(PROTO_SRC)),$(f)))
LIBS := $(foreach f,$(FLOORS_HERE),$(call floor_lib,$(f)))
FLOOR_SRC := $(foreach f,$(FLOORS_HERE),$(call floor_src,$(f)))

BRUGD_SRC := $(sort $(wildcard daemon/*.c))
BRUGCTL_SRC := $(sort $(wildcard ctl/*.c))
BRUG_SRC := $(sort $(wildcard client/cmd/*.c))
# What `make bench` runs: a load generator, and the floor that the relay is compared with. Not installed.
FLOOR_SERVER_SRC := bench/floor.c bench/common.c bench/link.c
BENCH_SRC := $(sort $(filter-out bench/floor.c,$(wildcard bench/*.c)))
BENCH_PROGRAMS := $(B)/brug-bench $(B)/brug-floor
PROGRAMS := $(if $(BRUGD_SRC),$(B)/brugd) $(if $(BRUGCTL_SRC),$(B)/brugctl) $(if $(BRUG_SRC),$(B)/brug) \
	$(BENCH_PROGRAMS)

# libbrug as others link it: one object in which only brug_* is visible.
LIBBRUG_FLOORS := client pki rules proto base
LIBBRUG_SRC := $(foreach f,$(LIBBRUG_FLOORS),$(call floor_src,$(f)))
LIBBRUG := $(if $(call floor_src,client),$(B)/libbrug.a)

# ---- the tests ----
# tests/DIR/test_*.c is a cmocka program each, test_*.sh and test_*.py speak TAP; other tests/DIR/*.c
# are programs that tests use; tests/lib/*.c is linked with all of them. Options for the linker of one
# program stand in a file beside it (test_x.c: test_x.link). tests/cmd is what people type, from end to end.

TEST_DIRS := cmd unit sim store daemon fault interop source
THREADED_DIRS := store daemon
tests_c = $(sort $(wildcard $(foreach d,$(1),tests/$(d)/test_*.c)))
tests_script = $(sort $(wildcard $(foreach d,$(1),tests/$(d)/test_*.sh tests/$(d)/test_*.py)))
tests_of = $(patsubst %.c,$(B)/%,$(call tests_c,$(1))) $(call tests_script,$(1))
TEST_LIB_SRC := $(sort $(wildcard tests/lib/*.c))
TEST_LIB := $(if $(TEST_LIB_SRC),$(B)/libtest.a)
TEST_SRC := $(sort $(wildcard $(foreach d,$(TEST_DIRS),tests/$(d)/*.c)))
TEST_PROGRAMS := $(TEST_SRC:%.c=$(B)/%)
# Libraries that a test preloads into our programs, to stand between them and the system.
PRELOAD_SRC := $(sort $(wildcard tests/fault/preload/*.c))
PRELOADS := $(PRELOAD_SRC:%.c=$(B)/%.so)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(FUZZ_SRC:%.c=$(B)/%)

UNIT_TESTS = $(call tests_of,unit)
# The longest begin first.
VARIANT_DIRS = $(filter-out source,$(TEST_DIRS))
VARIANT_TESTS = $(call tests_script,$(VARIANT_DIRS)) $(filter $(B)/%,$(call tests_of,$(VARIANT_DIRS))) $(FUZZ_PROGRAMS)
SOURCE_TESTS = $(call tests_of,source)
THREADED_TESTS = $(call tests_of,$(THREADED_DIRS))

ALL_SRC := $(FLOOR_SRC) $(BRUGD_SRC) $(BRUGCTL_SRC) $(BRUG_SRC) $(wildcard bench/*.c) $(TEST_LIB_SRC) $(TEST_SRC) \
	$(wildcard tests/fuzz/*.c)
OBJ := $(ALL_SRC:%.c=$(B)/%.o)
GEN_OBJ := $(GEN_C:.c=.o)
FORMAT_SRC = $(sort $(shell find base proto rules pki daemon client ctl include tests bench \
	-name '*.[ch]' 2>/dev/null))

# ---- rules ----

.PHONY: all
all: $(LIBS) $(PROGRAMS) $(LIBBRUG) ## build the programs and libbrug (the default)

# All .proto files in one call for each output, because they include one another.
$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h: proto/%.proto $(PROTO_SRC)
	@mkdir -p $(B)/gen
	$(PROTOC_C) -Iproto --c_out=$(B)/gen $<

# Generated headers exist before anything is compiled; afterwards the .d files know who needs them.
$(OBJ) $(GEN_OBJ): | $(GEN_H)

$(B)/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(WARN) -MMD -MP -c -o $@ $<

$(GEN_OBJ): %.o: %.c Makefile
	$(CC) $(CFLAGS_ALL) -w -MMD -MP -c -o $@ $<

define floor_rule
$(call floor_lib,$(1)): $(patsubst %.c,$(B)/%.o,$(call floor_src,$(1))) $(if $(filter proto,$(1)),$(GEN_OBJ))
endef
$(foreach f,$(FLOORS_HERE),$(eval $(call floor_rule,$(f))))
$(TEST_LIB): $(TEST_LIB_SRC:%.c=$(B)/%.o)

$(LIBS) $(TEST_LIB):
	@rm -f $@
	$(AR) rcsD $@ $^

GROUP = -Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS)

$(B)/brugd: $(BRUGD_SRC:%.c=$(B)/%.o) $(LIBS)
$(B)/brugctl: $(BRUGCTL_SRC:%.c=$(B)/%.o) $(LIBS)
$(B)/brug: $(BRUG_SRC:%.c=$(B)/%.o) $(LIBS)
$(B)/brug-bench: $(BENCH_SRC:%.c=$(B)/%.o) $(LIBS)
$(B)/brug-floor: $(FLOOR_SERVER_SRC:%.c=$(B)/%.o) $(LIBS)
$(PROGRAMS):
	$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(GROUP)

$(B)/libbrug.a: $(LIBBRUG_SRC:%.c=$(B)/%.o) $(GEN_OBJ)
	@rm -f $@
	$(LD) -r -o $(B)/libbrug.o $^
	objcopy -w --keep-global-symbol='brug_[!_]*' $(B)/libbrug.o
	$(AR) rcsD $@ $(B)/libbrug.o

$(TEST_PROGRAMS): $(B)/%: $(B)/%.o $(TEST_LIB) $(LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $< $(addprefix @,$(wildcard $*.link)) $(TEST_LIB) $(GROUP) $(TEST_LIBS)

# A fuzz target is linked with libFuzzer in the fuzz variant, else with a main that replays its corpus.
ifeq ($(SAN),fuzz)
$(FUZZ_PROGRAMS): $(B)/%: $(B)/%.o $(TEST_LIB) $(LIBS)
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $< $(addprefix @,$(wildcard $*.link)) $(TEST_LIB) $(GROUP)
else
$(FUZZ_PROGRAMS): $(B)/%: $(B)/%.o $(B)/tests/fuzz/replay.o $(TEST_LIB) $(LIBS)
	$(CC) $(LDFLAGS_ALL) -o $@ $< $(B)/tests/fuzz/replay.o $(addprefix @,$(wildcard $*.link)) $(TEST_LIB) $(GROUP)
endif

# Without sanitizers: it must not come to the process with a run-time of its own.
$(PRELOADS): $(B)/%.so: %.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=c17 -g -O2 -fPIC -shared -D_GNU_SOURCE $(WARN) -Wl,-z,relro,-z,now -o $@ $<

-include $(OBJ:.o=.d) $(GEN_OBJ:.o=.d)

# ---- running tests ----

RUN = TEST_SECONDS_MAX=$(TEST_SECONDS_MAX) TEST_JOBS=$(TEST_JOBS) PYTHON=$(PYTHON) BRUG_SEED=$(SEED) \
	BRUG_BUILD=$(abspath $(B)) RESULTS=$(RESULTS) tests/run.sh

.PHONY: unit
unit: $(filter $(B)/%,$(UNIT_TESTS)) ## build and run the unit tests (SAN=asan: with sanitizers)
	@$(RUN) $(UNIT_TESTS)

.PHONY: sim
sim: $(filter $(B)/%,$(call tests_of,sim)) ## the core in a simulated world; SEED=n replays a run
	@TELL=1 $(RUN) $(call tests_of,sim)

.PHONY: test
test: deps ## install what is missing, then every check and test, plain and under sanitizers
	@tests/all.sh $(MAKE)

# The parts of `make test`, each for the variant that SAN names.
.PHONY: build-tests build-threaded run-variant run-threaded run-source
build-tests: all $(TEST_PROGRAMS) $(FUZZ_PROGRAMS) $(PRELOADS)
run-variant: build-tests
	@$(RUN) $(VARIANT_TESTS)
build-threaded: all $(filter $(B)/%,$(THREADED_TESTS))
run-threaded: build-threaded
	@$(RUN) $(THREADED_TESTS)
run-source: build-tests
	@$(RUN) $(SOURCE_TESTS)

# ---- proofs: tests/fault and tests/sim in their long form ----

PROOFS := power fault rot kill network mutants
PROVE = TEST_JOBS=$(TEST_JOBS) PYTHON=$(PYTHON) BRUG_SEED=$(SEED) BRUG_BUILD=$(abspath $(B)) tests/prove.sh

.PHONY: prove
prove: deps ## prove every claim of doc/proof.md in its long form (half an hour), and print one table
	@$(MAKE) --no-print-directory -s -j2 build-tests
	@$(PROVE) $(call tests_of,fault sim)

.PHONY: $(PROOFS:%=prove-%)
$(PROOFS:%=prove-%): prove-%: build-tests
	@$(PROVE) $(foreach t,$(call tests_of,fault),$(if $(filter test_$*%,$(notdir $(t))),$(t)))

.PHONY: bench
bench: deps-build ## the relay beside a floor on the same disk (five minutes): build/plain/bench.txt, .json
	@$(MAKE) --no-print-directory -s -j2 all
	@BRUG_BUILD=$(abspath $(B)) $(PYTHON) bench/run.py --out $(B)/bench

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZ_SECONDS each (60), with clang and libFuzzer
	@$(MAKE) --no-print-directory SAN=fuzz CC=clang-14 run-fuzz

.PHONY: run-fuzz
run-fuzz: $(FUZZ_PROGRAMS)
	@set -e; for t in $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%); do \
	  echo "fuzz $$t for $(FUZZ_SECONDS) s"; mkdir -p $(B)/corpus/$$t $(B)/crash; \
	  $(B)/tests/fuzz/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=10 \
	    -print_final_stats=1 -verbosity=0 -artifact_prefix=$(B)/crash/$$t- \
	    $(B)/corpus/$$t tests/fuzz/corpus/$$t; done

.PHONY: check-source
check-source: ## formatting, who includes whom, banned calls, rule ids: reads only, seconds
	@CLANG_FORMAT=$(CLANG_FORMAT) scripts/check-source

.PHONY: format
format: ## put all C sources in the project's format
	$(if $(FORMAT_SRC),$(CLANG_FORMAT) -i $(FORMAT_SRC))

# ---- other targets ----

DEPS_BUILD := gcc libc6-dev make pkg-config libssl-dev libuv1-dev libprotobuf-c-dev protobuf-c-compiler \
	protobuf-compiler libsqlite3-dev libconfuse-dev libjansson-dev libsystemd-dev openssl python3 procps faketime
DEPS_TEST := libcmocka-dev python3-z3 clang-14 libclang-rt-14-dev clang-format-14 python3-protobuf systemd git strace

.PHONY: deps
deps: ## install the Debian packages that are missing (as root, or through sudo)
	@scripts/deps.sh $(DEPS_BUILD) $(DEPS_TEST)

.PHONY: deps-build
deps-build: ## the same, but only what a build and the demo need
	@scripts/deps.sh $(DEPS_BUILD)

.PHONY: dev
dev: ## build all and the tests with sanitizers, and write compile_commands.json
	@$(MAKE) --no-print-directory SAN=asan build-tests compile-commands

.PHONY: compile-commands
compile-commands:
	@$(PYTHON) scripts/compile-commands $(CC) $(CFLAGS_ALL) $(WARN) -- $(ALL_SRC) >compile_commands.json

.PHONY: demo
demo: deps-build ## the story of a case from end to end, with a kill of the relay in the middle
	@$(MAKE) --no-print-directory all
	@BRUG_BUILD=$(abspath $(B)) scripts/demo.sh

.PHONY: install
install: all ## install under DESTDIR and PREFIX (/usr/local)
	@scripts/install.sh "$(B)" "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)" "$(VERSION)"

.PHONY: clean
clean: ## remove all that was built
	rm -rf build compile_commands.json

.PHONY: help
help: ## this list
	@echo "Targets (make TARGET [SAN=asan|tsan] [CC=gcc|clang-14]):"
	@sed -nE 's/^([a-z][a-z-]*):[^#]*## (.*)/  \1\t\2/p' Makefile | expand -t 18
	@echo "Under SAN=tsan, \`make test\` runs the tests in: $(THREADED_DIRS:%=tests/%)"
	@echo "A test is tests/DIR/test_*.c (cmocka), .sh or .py (TAP); tests/lib/*.c is linked with all;"
	@echo "another tests/DIR/*.c is a program that tests use; test_x.link holds options for its linker."
