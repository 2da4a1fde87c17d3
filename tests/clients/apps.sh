#!/usr/bin/env bash
# What is built on Kafka against a broker: Connect's file source and sink in distributed mode, a word count by Streams over this repository's
# own documents. The broker is killed in between; the next life of each application goes on where the last one was.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)" broker="$work/broker"
bootstrap="127.0.0.1:$port"
find "$root/README.md" "$root/docs" -name '*.md' -print0 | sort -z | xargs -0 cat > "$work/text"

again() {
  broker_kill "$broker"
  broker_start "$test_broker" "$broker" "$port" group.initial.rebalance.delay.ms=0 || exit 1
}

broker_start "$test_broker" "$broker" "$port" group.initial.rebalance.delay.ms=0 || exit 1
counted kafka_java ConnectCases "$bootstrap" "$work" "$(free_port)" 1
counted kafka_java StreamsCases "$bootstrap" "$work" at_least_once 1
counted kafka_java StreamsCases "$bootstrap" "$work" exactly_once_v2 1
again
counted kafka_java ConnectCases "$bootstrap" "$work" "$(free_port)" 2
counted kafka_java StreamsCases "$bootstrap" "$work" at_least_once 2
counted kafka_java StreamsCases "$bootstrap" "$work" exactly_once_v2 2
finish
