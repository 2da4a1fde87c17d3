#!/usr/bin/env bash
# kafka-python against a broker; the cases are in python/cases.py.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)"
broker_start "$test_broker" "$work/broker" "$port" || exit 1
counted "$python" "$root/tests/clients/python/cases.py" "127.0.0.1:$port"
finish
