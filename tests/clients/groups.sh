#!/usr/bin/env bash
# Apache Kafka's Java consumers in groups of the consumer protocol (KIP-848) against a broker, which is killed once; the cases are in
# java/ConsumerGroupCases.java.
. "$(dirname "$0")/../stage.sh"
port="$(free_port)" broker="$work/broker"
# Heartbeats come often, and a slow machine's members are waited for.
settings=(group.initial.rebalance.delay.ms=0 group.consumer.assignment.interval.ms=0 group.consumer.min.heartbeat.interval.ms=500
  group.consumer.heartbeat.interval.ms=500 group.consumer.max.session.timeout.ms=120000 group.consumer.session.timeout.ms=120000)
broker_start "$test_broker" "$broker" "$port" "${settings[@]}" || exit 1

kill_when_asked() {
  until [ -e "$work/kill" ]; do sleep 0.1; done
  broker_kill "$broker"
  broker_start "$test_broker" "$broker" "$port" "${settings[@]}" && touch "$work/again"
}
kill_when_asked > "$work/killer" 2>&1 < /dev/null &
killer=$!
counted kafka_java ConsumerGroupCases "127.0.0.1:$port" "$work"
kill "$killer" 2> /dev/null
finish
