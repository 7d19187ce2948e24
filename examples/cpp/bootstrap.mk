# Builds main.cc into ./bootstrap: static, so that it runs whatever the sandbox holds.
# JSON is Boost.JSON's work (Debian: libboost-json1.81-dev).
here := $(dir $(lastword $(MAKEFILE_LIST)))
CXX := $(or $(shell command -v g++),$(shell command -v clang++-19))
CXXFLAGS ?= -O2

bootstrap: main.cc $(here)lambda_runtime.h
	$(CXX) -std=c++20 -Wall -Wextra -Werror $(CXXFLAGS) -I$(here) -static -s -o $@ $< -lboost_json

.PHONY: clean
clean:
	rm -f bootstrap
