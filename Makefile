# SPDX-License-Identifier: LGPL-2.1-or-later
# Front end of the build. The build itself is described in meson.build; this file only names the common wishes.
# Each target has one line of help after '##'.

BUILD   ?= build
PREFIX  ?= /usr/local
NICE    := nice -n 5
MESON   ?= meson
JOBS    ?= $(shell nproc)
PYTHON  ?= /usr/bin/python3

export XENOLITH_BUILD := $(abspath $(BUILD))
export XENOLITH_CACHE ?= $(CURDIR)/cache
export XENOLITH_STATE ?= $(CURDIR)/var

.DEFAULT_GOAL := help
.PHONY: help setup build run status restart stop test test-clients test-xen check format bench deb image image-tiny image-debian \
	install clean

help: ## this list
	@tools/make-help $(firstword $(MAKEFILE_LIST))

setup: ## install the Debian packages that are missing (packaging/deps.txt)
	@tools/setup

build: setup ## build both daemons and xe into build/
	@tools/build $(BUILD) $(JOBS)

run: build ## start the host in the background with a Debian guest; a second call changes nothing
	@$(PYTHON) tools/run start

status: ## tell what runs and how to reach it
	@$(PYTHON) tools/run status

restart: build ## let the programs just built replace those that run; clients notice a pause at most
	@$(PYTHON) tools/run restart

stop: ## stop the guests and both daemons; the state stays
	@$(PYTHON) tools/run stop

test: ## run every test and house check; ends with "N passed, N failed"
	@tools/setup --clients
	@$(PYTHON) tools/run-tests

test-clients: ## run clients written by others (xen-api, xmlrpc.client, JSON-RPC, curl) against the daemons
	@tools/setup --clients
	@$(PYTHON) tools/run-tests clients

test-xen: ## boot the appliance under emulation and tell stories through the XenAPI on real Xen
	@tools/setup --xen
	@$(PYTHON) tools/run-tests xen

check: setup ## run the house checks only (layers, banned calls, layout, ...)
	@$(PYTHON) tools/check

format: ## lay out all C files by .clang-format
	@git ls-files -z '*.c' '*.h' | xargs -0 -r clang-format-14 -i

bench: build ## print the table of ratios to peers, write docs/performance.md
	@bench/run --page

deb: ## make the Debian packages in cache/; RELEASE=trixie for another release
	@tools/setup --xen
	@$(PYTHON) tools/make-deb --lint

image: ## make the appliance's disk image (Xen, Debian, both daemons) in cache/; RELEASE as above
	@tools/setup --xen
	@$(PYTHON) tools/make-image

image-tiny: setup ## make the tiny test guest (kernel, initramfs, boot disk) in cache/
	@$(PYTHON) tools/guest-image tiny

image-debian: setup ## make the Debian 12 guest disk in cache/
	@$(PYTHON) tools/guest-image debian

install: build ## install programs, units and manual pages below PREFIX (DESTDIR is honoured)
	@$(MESON) configure $(BUILD) -Dprefix=$(PREFIX)
	@$(MESON) install -C $(BUILD)

clean: ## remove everything built; the state (var/) and the images (cache/) stay
	rm -rf $(BUILD) build-asan build-tsan build-fuzz
